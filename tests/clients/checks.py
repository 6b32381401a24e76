"""Runs checks and prints their results for `run`, which has this folder in PYTHONPATH."""


def run(checks, *arguments):
    """Makes each check with the arguments, also after a failure. Returns whether a check failed."""
    failed = False
    for name, check in checks.items():
        try:
            check(*arguments)
            print(f"ok {name}", flush=True)
        except Exception as error:  # any failure, because the other checks are to be made
            failed = True
            print(f"failed {name}: {type(error).__name__}: {error}".replace("\n", " "), flush=True)
    return failed
