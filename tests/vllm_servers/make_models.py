"""The two models of the vLLM tests, as folders vLLM can load: `python make_models.py GGUF FOLDER`.

Run by the Python that has vLLM, whose torch and transformers it uses. `FOLDER/smol` is SmolLM2-135M-Instruct,
`FOLDER/tiny` a random Llama of two layers that speaks its tokens: the same protocol, ten times the speed.
"""

import sys
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig, LlamaConfig, LlamaForCausalLM


def smol(gguf: Path, folder: Path) -> None:
    """The GGUF's weights in fp32: about 20 s and 1.3 GB of memory."""
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.float32, quantization_config=GgufConfig(dequantize=True)
    )
    model.hf_quantizer = None  # else save_pretrained refuses a model that came from a GGUF
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config
    model.save_pretrained(folder)


def tiny(folder: Path) -> None:
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=49152,
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=64,
        max_position_embeddings=8192,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)


if __name__ == "__main__":
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    tokenizer = AutoTokenizer.from_pretrained(source.parent, gguf_file=source.name)
    smol(source, target / "smol")
    tiny(target / "tiny")
    for name in ("smol", "tiny"):
        tokenizer.save_pretrained(target / name)
