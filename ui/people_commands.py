"""`precept users`: who may sign in."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from app.records import Role, User
from ui.terminal import AsJson, Home, error_console, opened, print_json, result_console

Email = Annotated[str, typer.Argument(metavar="EMAIL")]


def register(root: typer.Typer) -> None:
    """Add these commands to the root."""
    users = typer.Typer(no_args_is_help=True, help="List, add and disable the people who may sign in.")
    users.command("list")(list_users)
    users.command("add")(add)
    users.command("disable")(disable)
    root.add_typer(users, name="users")


def list_users(home: Home = None, as_json: AsJson = False) -> None:
    """List the people who have an account."""
    with opened(home) as services:
        users = services.identity.list_users(services.identity.operator())
    if as_json:
        print_json({"users": [asdict(user) for user in users]})
        return
    table = Table("Email", "Name", "Role", "State", box=None, header_style="bold")
    for user in users:
        state = "disabled" if user.disabled else "active"
        table.add_row(escape(user.email), escape(user.name), user.role.value, state)
    result_console().print(table)


def add(
    email: Email,
    name: Annotated[str, typer.Option("--name", help="How the person is called.")] = "",
    role: Annotated[Role, typer.Option("--role", help="What the person may do.")] = Role.EMPLOYEE,
    password: Annotated[
        str,
        typer.Option(
            "--password",
            envvar="PRECEPT_PASSWORD",
            prompt=True,
            hide_input=True,
            confirmation_prompt=True,
            help="Asked if absent.",
        ),
    ] = "",
    home: Home = None,
    as_json: AsJson = False,
) -> None:
    """Give somebody an account."""
    with opened(home) as services:
        user = services.identity.add_user(services.identity.operator(), email, name or email, role, password)
    _report(user, "Added", as_json=as_json)


def disable(email: Email, home: Home = None, as_json: AsJson = False) -> None:
    """Close an account and end its sessions at once; what it wrote is kept."""
    with opened(home) as services:
        services.identity.disable_user(services.identity.operator(), email)
    if as_json:
        print_json({"disabled": email})
    else:
        error_console().print(f"Disabled {escape(email)}.")


def _report(user: User, deed: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"user": asdict(user)})
    else:
        error_console().print(f"{deed} {escape(user.email)} as {user.role.value}.")
