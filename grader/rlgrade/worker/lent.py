"""What the judge lends a submission: functions and environments that run on the judge's side.

A call is a frame to the judge in the middle of the submission's own call; the judge answers with
plain data, or refuses with a sentence that is raised here as a ValueError.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

Ask = Callable[..., Any]


class LentFunction:
    """A function that runs in the judge."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def __call__(self, *args: Any) -> Any:
        return self._ask("call", *args)


def lent_environments(ask: Ask, spec: dict[str, Any]) -> Any:
    """Environments that are stepped in the judge, as a `gymnasium.vector.VectorEnv`.

    They reset at the step that ends an episode; `infos["final_obs"]` then holds the observations
    in which episodes ended, one array for each row that `infos["_final_obs"]` marks, else None.
    """
    import gymnasium
    import numpy as np
    from gymnasium.vector import AutoresetMode, VectorEnv
    from gymnasium.vector.utils import batch_space

    class LentEnvironments(VectorEnv):
        metadata: dict[str, Any] = {"autoreset_mode": AutoresetMode.SAME_STEP}  # noqa: RUF012

        def __init__(self) -> None:
            self.num_envs = spec["count"]
            shape = (spec["observation_size"],)
            self.single_observation_space = gymnasium.spaces.Box(-np.inf, np.inf, shape)
            self.single_action_space = gymnasium.spaces.Discrete(spec["actions"])
            self.observation_space = batch_space(self.single_observation_space, self.num_envs)
            self.action_space = batch_space(self.single_action_space, self.num_envs)

        def reset(self, *, seed: Any = None, options: Any = None) -> Any:
            """New episodes in all environments. The judge chooses the seed."""
            return ask("reset").numpy(), {}

        def step(self, actions: Any) -> Any:
            """One step of each environment."""
            observations, rewards, terminated, truncated, final = ask(
                "step", torch.as_tensor(actions)
            )
            infos = {}
            if final is not None:
                ended = (terminated | truncated).numpy()
                rows = np.full(self.num_envs, None, dtype=object)  # as Gymnasium's own have it
                for row in ended.nonzero()[0]:
                    rows[row] = final[row].numpy()
                infos = {"final_obs": rows, "_final_obs": ended}
            return (
                observations.numpy(),
                rewards.numpy(),
                terminated.numpy(),
                truncated.numpy(),
                infos,
            )

        def close(self, **kwargs: Any) -> None:
            """Nothing is held here."""

    return LentEnvironments()
