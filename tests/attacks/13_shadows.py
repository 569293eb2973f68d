# ruff: noqa
"""Case 13, tamper: files and settings that another Python would load by itself."""

import os

NAMES = (
    "torch.py numpy.py json.py typing.py click.py rlgrade.py sitecustomize.py usercustomize.py "
    "conftest.py pytest.ini setup.cfg evil.pth __init__.py checks.py .hypothesis"
).split()
CODE = "open('__PLACE__/loaded', 'w')\n"


def _leave(folder):
    for name in NAMES:
        try:
            os.makedirs(folder, exist_ok=True)
            with open(os.path.join(folder, name), "w") as file:
                file.write("[pytest]\naddopts = -p torch\n" if name == "pytest.ini" else CODE)
        except OSError:
            pass


def attack_current_folder(rewards, *, factor):
    _leave(".")
    _leave(os.path.expanduser("~/.local/lib/python3.11/site-packages"))
    return rewards.detach().clone()


def attack_place_of_the_submission(rewards, *, factor):
    _leave("__PLACE__")
    return rewards.detach().clone()


def attack_environment(rewards, *, factor):
    for name in ("PYTHONPATH", "PYTHONSTARTUP", "PYTHONHOME", "PYTHONINSPECT", "LD_PRELOAD"):
        os.environ[name] = "__PLACE__"
    return rewards.detach().clone()
