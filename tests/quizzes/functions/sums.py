"""Functions of the tests' bank."""


def total(first: float, second: float) -> float:
    return first + second


def table(first: float, second: float) -> list[dict[str, float]]:
    return [{"difference": first - second, "product": first * second}]


def equal(first: float, second: float) -> bool:
    return first == second


def same_sign(answer: float) -> bool:
    return answer >= 0


def pair(random, size: float) -> list[float]:
    return [round(size * random.random(), 2), 1.0]


def first(values: list[float], factor: float) -> float:
    return values[0] * factor


def constant() -> float:
    return 40.0


def raises() -> float:
    raise ValueError("not today")


def even(numbers: dict[str, int]) -> list[str]:
    return [name for name, number in numbers.items() if number % 2 == 0]
