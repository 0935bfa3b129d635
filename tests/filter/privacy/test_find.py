"""What is found in a text and what is not, kind by kind, and that a text cannot make it slow."""

from __future__ import annotations

import pytest

from distill.filter.privacy.find import apart, find
from distill.filter.privacy.found import Found
from distill.filter.privacy.plain import plain


def found(text: str) -> list[tuple[str, str]]:
    return [(one.kind, text[one.start : one.end]) for one in find(text)]


def values(kind: str, text: str) -> list[str]:
    return [value for name, value in found(text) if name == kind]


KEY = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("email", "jo.smith+news@mail.gmail.com"),
        ("email", "müller@bücher.de"),
        ("email", "o'brien@city.gov.uk"),
        ("email", "info@пример.рф"),
        ("phone", "+44 20 7123 4567"),
        ("phone", "+44 (0)20 7123 4567"),
        ("phone", "+1 (415) 867-5309"),
        ("phone", "+1-415-867-5309 ext. 12"),
        ("phone", "0049 30 1234567"),
        ("phone", "+91 98765 43210"),
        ("phone", "+५५ ११ ९१२३४-५६७८"),
        ("phone", "(415) 867-5309"),
        ("phone", "415.867.5309"),
        ("phone", "06 12 34 56 78"),
        ("phone", "030/1234567"),
        ("phone", "03-1234-5678"),
        ("phone", "(11) 91234-5678"),
        ("phone", "138 1234 5678"),
        ("card", "4111 1111 1111 1111"),
        ("card", "4111111111111111"),
        ("card", "5555-5555-5555-4444"),
        ("card", "3782 822463 10005"),
        ("card", "６０１１１１１１１１１１１１１７"),
        ("iban", "DE89 3704 0044 0532 0130 00"),
        ("iban", "GB82WEST12345698765432"),
        ("iban", "MT84 MALT 0110 0001 2345 MTLC AST0 01S"),
        ("iban", "NO93 8601 1117 947"),
        ("national_id", "123-45-6789"),
        ("national_id", "AB 12 34 56 C"),
        ("national_id", "12345678Z"),
        ("national_id", "X1234567L"),
        ("national_id", "RSSMRA85M01H501Q"),
        ("national_id", "1 84 12 76 451 089 46"),
        ("national_id", "86 095 742 719"),
        ("national_id", "529.982.247-25"),
        ("national_id", "131052-308T"),
        ("national_id", "11010519491231002X"),
        ("national_id", "2345 6789 0124"),
        ("ip", "93.184.216.34"),
        ("ip", "2a00:1450:4001:81b::200e"),
        ("key", KEY),
        ("key", "AKIAJ7K3L2MNOPQRST4V"),
        ("key", "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"),
        ("key", "sk-ant-api03-Ab3dEf6hIj9kLm2nOp5qRs8t"),
        ("key", "AIzaSyA1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q"),
        ("key", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N"),
    ],
)
@pytest.mark.parametrize("around", ["It is {}.", "{}", "({})", "«{}», she said", "Näher: {}\nNext"])
def test_found_alone_and_whole(kind: str, value: str, around: str) -> None:
    assert found(around.format(value)) == [(kind, value)]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("phone", "Tel.: 612 345 678", "612 345 678"),
        ("phone", "my phone number is 98765 43210", "98765 43210"),
        ("phone", "call me at 2125557187", "2125557187"),
        ("national_id", "NHS number 943 476 5919", "943 476 5919"),
        ("national_id", "PESEL: 44051401359", "44051401359"),
        ("national_id", "his SSN is 123456789", "123456789"),
        ("key", "password: hunter2", "hunter2"),
        ("key", '"api_key" = "8f3b2a9c7d6e5f4a3b2c1d0e"', "8f3b2a9c7d6e5f4a3b2c1d0e"),
        ("key", "curl -H 'Authorization: Bearer a1B2c3D4e5F6g7H8i9J0kL'", "a1B2c3D4e5F6g7H8i9J0kL"),
        ("key", "mysql --password tr0ub4dor&3 db", "tr0ub4dor&3"),
        ("credentials", "https://bob:s3cr3tpw@host.org/x", "bob:s3cr3tpw"),
        ("credentials", "redis://:p4ssw0rdX@cache.io:6379", ":p4ssw0rdX"),
    ],
)
def test_found_by_what_stands_before(kind: str, text: str, value: str) -> None:
    assert values(kind, text) == [value]
    assert values(kind, f"It costs {value}") == []


@pytest.mark.parametrize(
    "text",
    [
        "git clone git@github.com:a/b",
        "ssh://jo@server.com/x",
        "jane@example.com and jo@mail.example.org, root@host.local",
        "logo@2x.png, x@y, @jo, a@b.c, y = A@B.mean(), pip install x@1.2.3",
        "4111 1111 1111 1112 and 1234567812345670",
        "GB82WEST12345698765433, XX82WEST12345698765432, GB82 is a plate",
        "12345678A, X1234567K, 123-45-0000, 666-12-3456",
        "In 2019-2020 they sold 1,234,567,890 of 10000000000 units",
        "3.14159265358979323846264338327950288",
        "2021-01-12 10:15:32.123456, 03-12-2003, 12/31/1999",
        "415-555-0123 rang in the film, +44 20 7946 0958 too",
        "10 20 30 40 50 60 70 80 90 100",
        "3 x 4 = 12, 1000-100-200, 15000-30*60/100 = 200/(100-50)",
        "0 1 2 3 4 5 6 7 8 9 10 11 12",
        "01011101010 and 0000000000",
        "+1 123 456 7890, +1 (123) 456-7890, +999 12, +300 1234567",
        "208.67.222.222, 149.112.112.112 and 2001:4860:4860::8888 answer everybody",
        "192.168.1.1, 10.0.0.255, 127.0.0.1, 203.0.113.9, 8.8.8.8, 1.2.3.4, 0.0.0.0, 999.1.2.3, 224.0.0.1",
        "version 93.184.216.34, v93.184.216.34, >=93.184.216.34, 93.184.216.0/24, 1.93.184.216.34",
        "std::string 10:20:30 fe80::1 ::1 2001:db8::1 dead::beef",
        "AKIAIOSFODNN7EXAMPLE",
        "sk-learn-is-a-library-for-machine-learning, hf_hub_download, token = tokens[0]",
        "password: ********, password=YOUR_PASSWORD1, password = getpass(), secret: ${SECRET_1}, token=<token>",
        "The secret is out: 42 people know. The token is 7. Enter your password: then press 1",
        "https://user:password@host.org https://{{user}}:{{pass1}}@host.org http://host:8080/@x",
        "-0.000271 -0.013692  0.9777  0.009826 -0.001486, 4828147466240000*t**12",
        "self.token_mixer = Sam3LiteTextRepMixer(config), postgresql://postgres:postgres@localhost:5432",
        "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----",
        "ISBN 978-3-16-148410-0, ISBN-10 3161484100, 10.1000/182, EAN 4006381333931",
        "[EMAIL_1] [CARD_12] password: [KEY_1] https://[CREDENTIALS_1]@host.org",
        "",
        "\ud800 \udfff@\ud800.com",
    ],
)
def test_nothing_personal(text: str) -> None:
    assert found(text) == []


def test_a_private_key_is_found_to_its_end_or_as_far_as_it_goes() -> None:
    body = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7\nVJTUt9Us8cKj\n"
    whole = f"-----BEGIN RSA PRIVATE KEY-----\n{body}-----END RSA PRIVATE KEY-----"
    assert found(f"Here:\n{whole}\nDone.") == [("key", whole)]
    (cut,) = values("key", f"Here:\n{whole.partition('-----END')[0]}")
    assert body.strip() in cut


def test_finds_that_overlap_are_one_of_the_longest_ones_kind() -> None:
    finds = [
        Found("card", 4, 9),
        Found("phone", 0, 5),
        Found("email", 9, 12),
        Found("ip", 10, 11),
        Found("key", 20, 30),
    ]
    assert apart(iter(finds)) == [Found("phone", 0, 9), Found("email", 9, 12), Found("key", 20, 30)]
    assert apart(iter([Found("phone", 0, 5), Found("card", 4, 12)])) == [Found("card", 0, 12)]


def test_a_number_within_a_number_is_not_found_twice() -> None:
    assert found("DE89370400440532013000") == [("iban", "DE89370400440532013000")]
    assert found("4111111111111111123456789") == []


def test_only_the_kinds_that_are_asked_for() -> None:
    text = "jo@gmail.com 4111111111111111"
    assert [one.kind for one in find(text, {"card"})] == ["card"]
    assert [one.kind for one in find(text)] == ["email", "card"]


def test_plain_signs_stand_in_the_same_places() -> None:
    text = "Tel\u00a0+\u0661\u0662 \u0967\u0968\u2011\uff13\uff14 \uff20 ä \u3000 中 \U0001f600"
    assert plain(text) == "Tel +12 12-34 @ ä   中 \U0001f600" and len(plain(text)) == len(text)
    assert plain("abc\n1") == "abc\n1"


LONG = 1_000_000
HARD = {
    "digits": "1" * LONG,
    "groups": "12 " * (LONG // 3),
    "dots": "." * LONG,
    "addresses": "1." * (LONG // 2),
    "ats": "@" * LONG,
    "local parts": "a." * (LONG // 2) + "@",
    "hosts": "a@" + "b." * (LONG // 2),
    "logins": "a@b." * (LONG // 4),
    "letters": "A" * LONG,
    "colons": "2001:" * (LONG // 5),
    "pluses": "+1" * (LONG // 2),
    "brackets": "(0" * (LONG // 2),
    "words": "password:" * (LONG // 9),
    "begins": "-----BEGIN PRIVATE KEY-----" * (LONG // 27),
    "urls": "://a:" * (LONG // 5) + "@b",
    "tokens": "eyJaaaaaaaa." * (LONG // 12),
    "keys": "sk-" * (LONG // 3),
    "spaces": "Tel" + " " * LONG + "1234567",
    "surrogates": "\ud800" * LONG,
}


@pytest.mark.parametrize("name", HARD)
def test_no_text_takes_time_in_proportion_to_its_square(name: str) -> None:
    """A megabyte: whatever took time by the square would not end in the time that a test has."""
    find(HARD[name])
