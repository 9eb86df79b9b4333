"""Sentences of company handbooks that state no fact anyone asks for."""

import random


def _listed(words: str) -> tuple[str, ...]:
    return tuple(words.split(";"))


_TEMPLATES = (
    "This policy applies to {everyone}.",
    "{Everyone} should read this section with care.",
    "Questions about {matter} are welcome at any time.",
    "We want {matter} to be fair and simple for {everyone}.",
    "The rules for {matter} are reviewed {often}.",
    "Please plan {matter} in good time.",
    "Good judgement matters more than the letter of the rules.",
    "Responsibility for {matter} is shared by {everyone}.",
    "Details about {matter} are explained in the {document}.",
    "See the {document} for {matter}.",
    "This section was last reviewed by the owner of the {document}.",
    "Managers support their teams in {matter}.",
    "Misuse may lead to disciplinary action.",
    "The company follows the local law on {matter}.",
    "Exceptions to other rules are not decided here.",
    "Keep {matter} in mind when you plan your work.",
    "Records of {matter} are treated as confidential.",
    "The {document} explains the background.",
    "Local offices may publish their own advice on {matter}.",
    "Where the text is unclear, ask before you act.",
    "Thank you for helping with {matter}.",
    "Common sense applies to {matter}.",
    "New forms for {matter} are published in the {document}.",
    "Feedback on {matter} is collected {often}.",
    "Costs of {matter} are charged to the cost center of the employee.",
    "Employees are informed of changes to the {document} by mail.",
    "In case of doubt, safety comes first.",
    "The wording of the {document} decides.",
)
_EVERYONE = _listed(
    "all employees;everyone at the company;each team;every member of staff;employees of all sites;our staff;"
    "employees and managers alike"
)
_MATTERS = _listed(
    "business travel;expenses;leave;purchasing;access rights;record keeping;information security;remote work;"
    "training;equipment;hiring;privacy;health and safety;working hours;company cars;visitors;gifts;data protection;"
    "confidential information;customer data;contracts;suppliers;overtime;on-call duty;parental leave;incidents;"
    "passwords;mobile devices;home office;relocation;payroll;benefits;insurance;parking;meetings;internal communication"
)
_DOCUMENTS = _listed(
    "employee handbook;travel policy;expenses policy;leave policy;purchasing policy;security policy;code of conduct;"
    "intranet;privacy notice;onboarding guide;quality manual;remote work policy;benefits guide;equipment guide"
)
_OFTEN = _listed("every year;regularly;from time to time;twice a year;after larger changes;by the owner of the policy")


def noise_sentence(rng: random.Random) -> str:
    everyone = rng.choice(_EVERYONE)
    return rng.choice(_TEMPLATES).format(
        everyone=everyone,
        Everyone=everyone[0].upper() + everyone[1:],
        matter=rng.choice(_MATTERS),
        document=rng.choice(_DOCUMENTS),
        often=rng.choice(_OFTEN),
    )
