"""Run as a program: llama.cpp's own HTTP server out of the package `xllamacpp`, with the options of `llama-server`.

It needs that package and the standard library only, so that it runs in an environment without distill. The key comes in
LLAMA_API_KEY. It knows nothing of who asks.
"""

from __future__ import annotations

import argparse
import os
import signal
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--model", required=True)
    parser.add_argument("--alias", required=True)
    parser.add_argument("--host", required=True)
    parser.add_argument("--port", type=int, required=True)
    for name in (
        "ctx-size",
        "parallel",
        "batch-size",
        "ubatch-size",
        "n-gpu-layers",
        "threads",
        "threads-batch",
        "top-k",
    ):
        parser.add_argument(f"--{name}", type=int)
    for name in ("min-p", "repeat-penalty"):
        parser.add_argument(f"--{name}", type=float)
    parser.add_argument("--chat-template")
    parser.add_argument("--kv-unified", action="store_true")
    parser.add_argument("--jinja", action="store_true")
    parser.add_argument("--no-ui", action="store_true")
    _serve(parser.parse_args())


def _serve(options: argparse.Namespace) -> None:
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path, params.model_alias = options.model, {options.alias}
    params.hostnames, params.port = [options.host], options.port
    params.api_keys = [key for key in [os.environ.get("LLAMA_API_KEY")] if key]
    params.kv_unified, params.use_jinja, params.ui = options.kv_unified, options.jinja, not options.no_ui
    if options.chat_template is not None:
        params.chat_template = options.chat_template
    for part, name, value in (
        (params, "n_ctx", options.ctx_size),
        (params, "n_parallel", options.parallel),
        (params, "n_batch", options.batch_size),
        (params, "n_ubatch", options.ubatch_size),
        (params, "n_gpu_layers", options.n_gpu_layers),
        (params.cpuparams, "n_threads", options.threads),
        (params.cpuparams_batch, "n_threads", options.threads_batch),
        (params.sampling, "top_k", options.top_k),
        (params.sampling, "min_p", options.min_p),
        (params.sampling, "penalty_repeat", options.repeat_penalty),
    ):
        if value is not None:
            setattr(part, name, value)
    server: Any = xllamacpp.Server(params)  # returns once it listens
    print(f"listening at {server.listening_address}", flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})


if __name__ == "__main__":
    # Blocked in every thread that llama.cpp starts, so that they come to `sigwait`.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    main()
