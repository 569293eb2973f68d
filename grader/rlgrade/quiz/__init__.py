"""Quizzes and mock interviews: the bank, the runner, the schedule, the exports.

From an id to a mark:

    bank = find_bank(find_course())                     # bank.py: the files of quizzes/
    entry = bank.find("ppo_clip.cases.six")             # or bank.topic("ppo_clip"), bank.entries()
    instance = draw(entry.item, 7, bank.functions)      # drawing.py: what this seed shows
    print(question(instance), how_to_answer(entry.item))  # presenting.py: as plain text
    marked = mark(instance, "b")                        # marking.py: score, right, message
    print(solution(instance))                           # the key, every reason, the sources

`mark` raises `AnswerError` for what cannot be read: ask again. An open question is marked with
`mark_open`, a derivation step by step with `mark_blank`; a claim's conditions are shown by
`conditions` only after somebody has said `if`, since showing them would give the verdict away.
"""
