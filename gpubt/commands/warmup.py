"""`gpubt warmup`: compiles the kernels into the cache, and measures from which size on the GPU is faster."""

from __future__ import annotations

from gpubt.commands.arguments import Parser


def main(arguments: list[str]) -> int:
    """Print each step as it is done, the break-even among them where a device answers."""
    Parser(prog="gpubt warmup", description="Compile the kernels and measure where the GPU begins to pay.").parse_args(arguments)
    from gpubt.warmup import warmup

    done = warmup(lambda line: print(line, flush=True))
    print(f"compiled kernels are kept in {done['cache']}")
    return 0
