"""The invented companies of the training data: names of people, places, roles, teams and tools.

Most names are put together afresh, so that reading the passage is the only way to know them. A fixed share of every
pool, by hash, is held out of training.
"""

import random
import zlib
from collections.abc import Callable, Mapping

_HELD_OUT_SHARE = 8


def _listed(names: str) -> tuple[str, ...]:
    return tuple(names.split(";"))


_FIRST = _listed(
    "Ada;Amir;Ana;Anton;Aisha;Boris;Bruno;Carla;Chen;Clara;Daniel;Dara;Elena;Elif;Emil;Erik;Farah;Felix;Freya;Gita;"
    "Goran;Greta;Hana;Hugo;Ines;Iris;Ivan;Jana;Jonas;Kai;Karim;Lena;Leo;Lina;Luca;Maja;Marta;Mateo;Mina;Nadia;Nils;"
    "Noor;Odile;Olga;Omar;Oscar;Petra;Priya;Rafael;Rosa;Samir;Sara;Selma;Simon;Sofia;Tariq;Tessa;Theo;Uma;Vera;Viktor;"
    "Wanda;Yara;Yusuf;Zoe"
)
_LAST_START = _listed(
    "Al;Bar;Bel;Ber;Bran;Cal;Cor;Dal;Dor;Fal;Fen;Gar;Hal;Har;Jan;Kal;Kor;Lan;Lin;Mar;Mor;Nor;Ol;Pal;Per"
)
_LAST_END = _listed(
    "berg;dahl;den;ford;ga;ham;ic;ley;lund;man;mont;ner;nova;ova;rell;ros;sen;shaw;son;stad;ti;ton;vik;well"
)
_PLACE_START = _listed(
    "Al;Bel;Bran;Car;Cor;Dor;El;Fal;Gal;Har;Hol;Kel;Lan;Lor;Mar;Nor;Or;Pel;Ros;San;Tal;Ter;Val;Ver;Wes"
)
_PLACE_END = _listed("a;bridge;bury;by;dale;field;ford;haven;ia;ma;mere;mont;na;port;ra;stad;ston;ton;ville;wick")
_CITIES = _listed(
    "Amsterdam;Athens;Austin;Berlin;Bergen;Boston;Brussels;Chicago;Copenhagen;Denver;Dublin;Geneva;Halifax;Hamburg;"
    "Helsinki;Lisbon;London;Lyon;Madrid;Milan;Montreal;Munich;Nairobi;Oslo;Paris;Porto;Prague;Riga;Rome;Seattle;Seoul;"
    "Singapore;Stockholm;Sydney;Tallinn;Tokyo;Toronto;Vienna;Warsaw;Zurich;Astoria;Duluth"
)
_TOOL_START = _listed(
    "Bright;Clear;Desk;Fast;Flow;Gate;Key;Light;Link;Note;Open;Path;Pay;Peak;Point;Safe;Seal;Shift;Sign;Team;Time;Track"
)
_TOOL_END = _listed("base;board;book;box;desk;file;flow;hub;ly;Right;port;scope;sheet;space;Trail;vault;wise;works")
_ROLES = _listed(
    "line manager;department head;site manager;team lead;finance director;controller;CFO;CEO;COO;CTO;"
    "chief executive;head of IT;head of HR;head of legal;head of security;head of sales;head of operations;"
    "operations director;managing director;general counsel;data protection officer;safety officer;security officer;"
    "project manager;product owner;procurement manager;budget owner;cost center owner;HR business partner;"
    "facilities manager;office manager;travel manager;fleet manager;quality manager;plant manager;regional director;"
    "vice president;country manager;hiring manager;training manager;compliance officer;treasurer;chair of the board"
)
_TEAMS = _listed(
    "People team;HR department;Finance team;Legal team;IT service desk;Security team;Facilities team;Travel Desk;"
    "Payroll office;Procurement team;Privacy office;Quality department;Training team;Marketing team;Sales operations;"
    "Customer support;Data team;Platform team;Internal audit;Communications team;Reception;Fleet office;Mail room;"
    "Recruiting team;Benefits team;Tax team;Treasury;Works council;Safety office;Compliance office;Front desk;"
    "Accounts payable;Vendor office;Records office;Help desk;Incident team;Network team;Events team;Library;"
    "Canteen team"
)
_GROUPS = _listed(
    "contractors;interns;part-time employees;temporary staff;apprentices;employees on probation;agency workers;"
    "consultants;trainees;volunteers;board members;new employees;shift workers;night staff;field staff;sales staff;"
    "on-call staff;remote employees;managers;executives;engineers;drivers;visitors;students;freelancers;"
    "seasonal workers;warehouse staff;production staff;office staff;support staff"
)
_GRADES = _listed(
    "Associate;Analyst;Specialist;Senior specialist;Manager;Senior manager;Director;Vice president;Executive;Assistant;"
    "Coordinator;Engineer;Senior engineer;Principal;Partner;Trainee;Supervisor;Foreman;Technician;Advisor"
)


def _person(rng: random.Random) -> str:
    return f"{rng.choice(_FIRST)} {rng.choice(_LAST_START)}{rng.choice(_LAST_END)}"


def _city(rng: random.Random) -> str:
    if rng.random() < 0.5:
        return rng.choice(_CITIES)
    return rng.choice(_PLACE_START) + rng.choice(_PLACE_END)


def _tool(rng: random.Random) -> str:
    return rng.choice(_TOOL_START) + rng.choice(_TOOL_END)


def _place(rng: random.Random) -> str:
    number = rng.randint(2, 480)
    return rng.choice(
        (
            f"room {number}",
            f"cabinet {number}",
            f"the {rng.choice(_CARDINALS)} floor of building {rng.choice('ABCDEFGH')}",
            f"building {rng.choice('ABCDEFGH')}",
            f"the {rng.choice(_PLACE_START)}{rng.choice(_PLACE_END)} room",
            f"the {rng.choice(('reception', 'library', 'canteen', 'mail room', 'workshop', 'server room', 'archive'))}",
            f"shelf {number} in the {rng.choice(('archive', 'warehouse', 'storeroom', 'basement'))}",
            f"the {rng.choice(('north', 'south', 'east', 'west'))} entrance",
        )
    )


_MAILBOXES = _listed("help;info;desk;claims;security;privacy;travel;people;legal;orders;safety;cards;payroll")
_CARDINALS = _listed("first;second;third;fourth;fifth;sixth")


def _address(rng: random.Random) -> str:
    word = rng.choice(_MAILBOXES)
    company = rng.choice(_PLACE_START).lower() + rng.choice(_PLACE_END)
    return rng.choice((f"{word}@{company}.example", f"extension {rng.randint(1000, 9999)}"))


def _grade(rng: random.Random) -> str:
    if rng.random() < 0.5:
        return rng.choice(_GRADES)
    return f"{rng.choice(('Grade', 'Level', 'Band', 'Class'))} {rng.randint(1, 30)}"


POOLS: Mapping[str, Callable[[random.Random], str]] = {
    "person": _person,
    "city": _city,
    "tool": _tool,
    "place": _place,
    "address": _address,
    "grade": _grade,
    "role": lambda rng: rng.choice(_ROLES),
    "team": lambda rng: rng.choice(_TEAMS),
    "group": lambda rng: rng.choice(_GROUPS),
}


def is_held_out(pool: str, name: str) -> bool:
    """Tell whether training never shows `name` as a fact of this pool."""
    return zlib.crc32(f"{pool}/{name}".encode()) % _HELD_OUT_SHARE == 0
