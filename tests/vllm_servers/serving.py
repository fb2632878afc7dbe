"""How the servers of these tests are started."""

from pathlib import Path

from install import KEEP_BYTECODE

from inference.vllm import VllmSettings

CONTEXT = 2048
"""Tokens of our own servers."""

ARGS = (
    "--enforce-eager",  # half the start
    "--no-enable-chunked-prefill",  # the CPU's sampler cannot seed an answer whose prompt was split: the engine dies
    *("--max-num-seqs", "64"),
    *("--block-size", "32"),  # of the prefix cache
    *("--shutdown-timeout", "10"),
    # The tiny model, drawing at random, would put blanks between the parts of a JSON value until it is cut.
    *("--structured-outputs-config", '{"backend": "xgrammar", "disable_any_whitespace": true}'),
)


def settings(vllm: Path, model: Path, replicas: int = 1) -> VllmSettings:
    return VllmSettings(
        model=str(model),
        served_model_name=model.name,
        replicas=replicas,
        context=CONTEXT,
        dtype="float32",  # answers do not depend on what else is in the batch
        args=ARGS,
        env={"VLLM_CPU_KVCACHE_SPACE": "1", "HF_HUB_OFFLINE": "1", **KEEP_BYTECODE},
        command=vllm,
        ready_s=600,
        stop_s=30,
    )
