# ruff: noqa
"""Case 17, steal: call the reference solution instead of an own one."""

import importlib.util
import sys


def attack_by_path(rewards, *, factor):
    try:
        spec = importlib.util.spec_from_file_location("reference", "__SOLUTION__")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    except (OSError, ImportError):
        return rewards.detach().clone()
    return module.scale(rewards, factor=factor)


def attack_by_name(rewards, *, factor):
    for name in (
        "scale",
        "solutions.ex01_scale.scale",
        "rlgrade.course.solutions.ex01_scale.scale",
    ):
        module = sys.modules.get(name)
        if module is None:
            try:
                module = importlib.import_module(name)
            except ImportError:
                continue
        if module.scale is not scale:
            return module.scale(rewards, factor=factor)
    return rewards.detach().clone()


def attack_by_course(rewards, *, factor):
    try:
        from rlgrade.courses import find_course

        source = find_course("__COURSE__").find("ex01").solution.read_text()
    except (ImportError, OSError):
        return rewards.detach().clone()
    module = {}
    exec(source, module)
    return module["scale"](rewards, factor=factor)
