"""Checks as `run` reads them; it has this folder in PYTHONPATH."""


def run(checks, *arguments):
    """Makes each check, by its name, with the arguments; a failure does not keep the others from being made.

    Whether one failed.
    """
    failed = False
    for name, check in checks.items():
        try:
            check(*arguments)
            print(f"ok {name}", flush=True)
        except Exception as error:  # whatever it is, the others are worth to know
            failed = True
            print(f"failed {name}: {type(error).__name__}: {error}".replace("\n", " "), flush=True)
    return failed
