"""The teacher's nodes (held-out answers, then rows), in the processes that accelerate started.

    accelerate launch --config_file accelerate_configs/multi_gpu.yaml scripts/generate.py recipes/quickstart.yaml

The result goes to the same cache as that of `distill run`, which then finds it there.
"""

import sys

from distill.alone import stage_main

if __name__ == "__main__":
    raise SystemExit(stage_main("generate", sys.argv[1:]))
