"""What e-mail messages hold."""

import io
from email.message import EmailMessage

import openpyxl
import pytest

from retrieval.loading import LoadedDocument, UnreadableDocument, load_bytes
from retrieval.places import place_at


def message(subject: str = "Travel limits", **headers: str) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = subject
    mail["From"] = "Jörg Müller <joerg@example.com>"
    mail["To"] = "All staff <staff@example.com>"
    mail["Date"] = "Fri, 01 Mar 2024 14:05:00 +0100"
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    return mail


def loaded(mail: EmailMessage | bytes, name: str = "limits.eml") -> LoadedDocument:
    return load_bytes(mail if isinstance(mail, bytes) else bytes(mail), name)


def workbook_bytes() -> bytes:
    book = openpyxl.Workbook()
    book.active.title = "Meals"
    book.active.append(["City", "Limit"])
    book.active.append(["Paris", 80])
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def test_a_message_opens_with_its_subject_its_people_and_its_date() -> None:
    mail = message("Reisekosten für 2024")
    mail.set_content("From March on meals are paid up to 60 dollars.\n\n> What is the limit?\n")
    document = loaded(mail)
    assert document.title == "Reisekosten für 2024"
    assert document.media_type == "message/rfc822"
    assert document.text == (
        "# Reisekosten für 2024\n\nFrom: Jörg Müller <joerg@example.com>\nTo: All staff <staff@example.com>\n"
        "Date: 2024-03-01 14:05 +0100\n\nFrom March on meals are paid up to 60 dollars.\n\n> What is the limit?\n"
    )


def test_the_plain_body_is_read_unless_it_only_points_to_the_html() -> None:
    both = message()
    both.set_content("Meals are paid up to 60 dollars.")
    both.add_alternative("<p>Meals are paid <b>up to 60 dollars</b>.</p>", subtype="html")
    assert loaded(both).text.count("60 dollars") == 1
    stub = message()
    stub.set_content("See the HTML.")
    rows = "".join(f"<tr><td>City {number}</td><td>{number}</td></tr>" for number in range(9))
    stub.add_alternative(f"<table><tr><th>City</th><th>Limit</th></tr>{rows}</table>", subtype="html")
    text = loaded(stub).text
    assert "| City 8 | 8 |" in text
    assert "See the HTML" not in text


def test_an_html_quotation_is_marked_as_a_quotation() -> None:
    mail = message()
    mail.set_content("<p>Now 70.</p><div>On Monday Ann wrote:<blockquote><p>Still 60.</p></blockquote></div>", "html")
    assert loaded(mail).text.endswith("\n\nNow 70.\n\nOn Monday Ann wrote:\n\n> Still 60.\n")


def test_attachments_are_parts_of_the_document_under_their_names() -> None:
    mail = message()
    mail.set_content("See the files.")
    office = "vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    mail.add_attachment(workbook_bytes(), maintype="application", subtype=office, filename="limits.xlsx")
    mail.add_attachment("# Rules\n\nKeep receipts.\n", filename="rules.md")
    mail.add_attachment(b"\x89PNG\r\n\x1a\n", maintype="image", subtype="png", filename="photo.png")
    document = loaded(mail)
    assert document.text.split("See the files.\n\n")[1] == (
        "## Attachment: limits.xlsx\n\n### Meals\n\n| City | Limit |\n| --- | --- |\n| Paris | 80 |\n\n"
        "## Attachment: rules.md\n\n### Rules\n\nKeep receipts.\n\n"
        "The attachment photo.png was not read: it is a picture.\n"
    )
    byte = document.text.encode().index(b"| Paris")
    assert place_at(document.places, byte) == "attachment limits.xlsx, sheet Meals"
    assert place_at(document.places, document.text.index("Keep receipts")) == "attachment rules.md"


def forwarded(times: int) -> EmailMessage:
    mail = message("Innermost")
    mail.set_content("The words in the middle.")
    for number in range(times):
        outer = message(f"Forwarded {number}")
        outer.set_content("See below.")
        outer.add_attachment(mail)
        mail = outer
    return mail


def test_messages_in_messages_are_read_to_a_bounded_depth() -> None:
    document = loaded(forwarded(2))
    assert [line for line in document.text.splitlines() if line.startswith("#")] == [
        "# Forwarded 1",
        "## Forwarded 0",
        "### Innermost",
    ]
    assert "The words in the middle." in document.text
    with pytest.raises(UnreadableDocument, match=r"^limits\.eml holds messages inside messages"):
        loaded(forwarded(9))


def test_lines_that_a_mail_program_broke_are_whole_again() -> None:
    mail = message()
    mail.set_content("Meals are paid up to \n60 dollars.\n> An old \n> limit.\n-- \nAnn\n", cte="7bit")
    mail.set_param("format", "flowed")
    assert loaded(mail).text.endswith("\n\nMeals are paid up to 60 dollars.\n> An old limit.\n--\nAnn\n")


@pytest.mark.parametrize("charset", ["iso-8859-1", "utf-8", "cp1252", "no-such-charset", "us-ascii"])
def test_a_body_is_read_whatever_charset_its_label_names(charset: str) -> None:
    label = f'Content-Type: text/plain; charset="{charset}"\nContent-Transfer-Encoding: 8bit'
    words = "Grüße aus Köln".encode("utf-8" if charset == "utf-8" else "cp1252")
    data = b"From: a@example.com\nSubject: Gru\xdfe\nMIME-Version: 1.0\n" + label.encode() + b"\n\n" + words + b"\n"
    document = loaded(data)
    assert "Grüße aus Köln" in document.text
    assert document.title == "Gruße"


def test_a_sent_message_is_known_without_its_suffix_and_a_note_is_not() -> None:
    mail = message(Message_ID="<1@example.com>")
    mail.set_content("Words.")
    assert loaded(mail, "limits.txt").media_type == "message/rfc822"
    assert loaded(b"From: the board\n\nMeals are paid.\n", "note.txt").media_type == "text/plain"


def test_an_encrypted_message_is_refused_with_the_remedy() -> None:
    mail = message()
    mail.set_content(b"\x30\x80", "application", "pkcs7-mime", filename="smime.p7m")
    with pytest.raises(UnreadableDocument, match=r"^limits\.eml is encrypted; open it in your mail program"):
        loaded(mail)


def test_a_message_with_too_many_attachments_is_refused() -> None:
    mail = message()
    mail.set_content("Words.")
    for number in range(101):
        mail.add_attachment(b"\x89PNG", maintype="image", subtype="png", filename=f"{number}.png")
    with pytest.raises(UnreadableDocument, match="more than 100 attachments"):
        loaded(mail)
