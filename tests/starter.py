"""The process behind the fixture ``starter``: commands of ``train.py`` without importing torch and Lightning for each.

It imports what a run needs and forks for each command that comes in as a line of JSON: ``{"start": words, "cwd": folder,
"env": variables, "log": file, "file_bytes": limit}`` answers with a process number, ``{"wait": number}`` with its exit code.
"""

import importlib
import json
import os
import resource
import signal
import sys
import traceback

NEEDED = (
    "lightning.pytorch.loggers", "lmi.api", "lmi.latent.estimator", "lmi.report.page", "lmi.report.tracking",
    "lmi.experiments.estimate", "lmi.latent.representation.estimator", "lmi.report.estimate", "pydantic.main",
)  # fmt: skip


PROGRAMS = {"train": "train.py", "lmi.train": "lmi"}


def forked(program, words, cwd, env, log, file_bytes):
    """The number of a new process that runs ``words``."""
    if number := os.fork():
        return number
    code = 1
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(cwd)
        os.environ.update(env)
        if "LOCAL_RANK" in env:  # Lightning read it when it was imported
            sys.modules["lightning_utilities.core.rank_zero"].rank_zero_only.rank = int(env["LOCAL_RANK"])
        if file_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
        os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 1)
        os.dup2(1, 2)
        sys.argv = [PROGRAMS[program], *words]
        importlib.import_module(program).command()
        code = 0
    except SystemExit as end:
        print("" if end.code is None else end.code)
        code = end.code if isinstance(end.code, int) else int(bool(end.code))
    except BaseException:  # noqa: BLE001  (nothing may return into the loop of the parent)
        traceback.print_exc()
    finally:
        if "wandb" in sys.modules:  # it writes its last records at the end of a process, which ends here at once
            sys.modules["wandb"].teardown()
        sys.stdout.flush()
        os._exit(code)


def serve(program):
    """Answer until the questions end; ``program`` is the module of the command."""
    for name in (*NEEDED, program):
        importlib.import_module(name)
    from numba.core.registry import cpu_target  # after lmi, which says how numba starts threads

    cpu_target.typing_context.refresh()  # what numba looks up at the first call of a kernel, half a second's worth
    cpu_target.target_context.refresh()
    for line in sys.stdin:
        question = json.loads(line)
        if "wait" in question:
            answer = os.waitstatus_to_exitcode(os.waitpid(question["wait"], 0)[1])
        else:
            answer = forked(program, question.pop("start"), **question)
        print(json.dumps(answer), flush=True)
    os._exit(0)  # taking all these modules down takes seconds


if __name__ == "__main__":
    serve(sys.argv[1])
