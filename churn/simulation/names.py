"""Invented people: names from many places, e-mail addresses on reserved domains, numbers kept for fiction."""

import unicodedata

import numpy as np
from numpy.typing import NDArray

from churn.simulation.chance import Chance, Ints

_FIRST_WORDS = (
    "Olivia Amelia Isla Ava Ivy Freya Florence Willow Mia Grace Noah Arthur Leo Oliver George Theodore Jude Henry "
    "Archie Oscar Margaret Doreen Maureen Sheila Brenda Keith Trevor Nigel Derek Graham Zoë Chloé Renée Siân Eluned "
    "Rhys Gethin Owain Ffion Ceri Aoife Niamh Saoirse Siobhán Caoimhe Ciarán Eoin Pádraig Róisín Conor Mhairi Eilidh "
    "Callum Hamish Iain Fiona Morag Mohammed Yusuf Ayesha Fatima Zainab Bilal Imran Nadia Samira Tariq Priya Anjali "
    "Rohan Arjun Deepika Vikram Meera Sunita Harpreet Gurdeep Jasleen Manjit Simran Chidi Ngozi Amara Kwame Abena Kofi "
    "Adaeze Tunde Folasade Thandiwe Sipho Wei Jing Mei-Ling Xiu Hao Minh Thuy Linh Duc Yuki Haruto Sakura Ji-woo "
    "Seo-yeon Agnieszka Katarzyna Paweł Łukasz Małgorzata Krzysztof Ştefan Ioana Andrei Mihaela Ionuț Elena José María "
    "Lucía Íñigo Begoña João Inês Gonçalo Luís Françoise Benoît Hélène Jürgen Günther Käthe Björn Åsa Øyvind Søren "
    "Zeynep Çağla Emre Yiğit Dimitris Eleni Olena Dmytro Natalia Anne-Marie Jean-Paul Mary-Kate Precious Blessing "
    "Marcus Shanice Tyrone Leticia Ahmed Layla Omar Yasmin Farhad Shirin Dov Miriam Rivka Ezra Tamar Nomvula"
)
_LAST_WORDS = (
    "Smith Jones Taylor Brown Williams Wilson Johnson Davies Patel Wright Walker White Robinson Thompson Hughes Green "
    "Hall Lewis Harris Clarke Turner Hill Scott Cooper Morris Ward Moore King Watson Baker Harrison Begum Hussain Khan "
    "Ali Ahmed Malik Iqbal Chaudhry Rahman Miah Singh Kaur Gill Sandhu Dhillon Sharma Gupta Mehta Shah Desai Nair "
    "Fernando Perera O'Brien O'Connor O'Neill O'Sullivan D'Arcy M'Bala N'Diaye Fitzgerald McCarthy MacDonald MacLeod "
    "McKenzie Ní-Bhriain Okafor Adeyemi Okonkwo Mensah Boateng Osei Banda Dlamini Mwangi Otieno Abebe Tesfaye Wang Li "
    "Zhang Chen Liu Nguyễn Trần Phạm Kim Park Tanaka Suzuki Kowalski Nowak Wójcik Zieliński Dąbrowska Popescu Ionescu "
    "Müller Schäfer Weiß Groß García Fernández Núñez Muñoz Ibáñez Gonçalves Conceição Pereira Lefèvre Dubois "
    "Bélanger Ångström Sjöberg Sørensen Bjørnstad Yılmaz Şahin Öztürk Papadopoulos Kovač Horvat Novák Dvořáková "
    "Shevchenko Bondarenko Lloyd-Hughes Parry-Jones Smythe-Barnes Ap-Rhys Griffiths Pritchard Llewellyn Evans Morgan "
    "Campbell Stewart Ferguson Sinclair Gallagher Doherty Quinn Byrne Cohen Levy Goldberg Haddad Mansour Nasser "
    "Rezaei Karimi Baptiste Joseph Charles Grant Clement St-Pierre"
)
FIRST, LAST = tuple(_FIRST_WORDS.split()), tuple(_LAST_WORDS.split())
MAIL_DOMAINS = ("example.com", "example.org", "example.net", "mail.example")
# Ofcom's numbers for drama that the phone library accepts: nobody has them. Prefix, then three free digits.
DRAMA = (
    "441134960", "441144960", "441164960", "441174960", "441184960", "441214960", "441314960", "441414960",
    "441514960", "441614960", "442079460", "441914980", "442896496", "442920180", "443069990",
)  # fmt: skip
DRAMA_SIZE = 1000 * len(DRAMA)
# For larger companies, plainly made-up mobiles: 07700 0…, 07700 1…, then rows of nines and fours.
SYNTHETIC = ("4477000", "4477001", "4479999", "4479998", "4479997", "4474449", "4474448", "4474447", "4474446")
SYNTHETIC_SIZE = 100_000 * len(SYNTHETIC)


def _ascii(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name.translate(str.maketrans("łŁøØıß", "lLoOis")))
    return "".join(c for c in plain.lower() if c.isascii() and c.isalnum())


_FIRST, _LAST = np.array(FIRST, object), np.array(LAST, object)
_FIRST_MAIL = np.array([_ascii(n) for n in FIRST], object)
_LAST_MAIL = np.array([_ascii(n) for n in LAST], object)
_TWO = np.array([f"{i:02d}" for i in range(100)], object)
_THREE = np.array([f"{i:03d}" for i in range(1000)], object)
_DRAMA_FULL = np.array([f"+{prefix}" for prefix in DRAMA], object)


def customer_names(chance: Chance, customers: Ints) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
    """Names and e-mail addresses, each (n,) of str; an address is None for about one in sixteen."""
    first = chance.below(len(FIRST), "first name", customers)
    last = chance.below(len(LAST), "last name", customers)
    second = chance.below(len(LAST), "second surname", customers)
    name = _FIRST[first] + " " + _LAST[last]
    doubled = (chance.uniform("two surnames", customers) < 0.04) & (second != last)
    name[doubled] += "-" + _LAST[second[doubled]]
    domain = np.array(MAIL_DOMAINS, object)[chance.below(len(MAIL_DOMAINS), "mail domain", customers)]
    tail = (customers % 997).astype(str).astype(object)
    mail = _FIRST_MAIL[first] + "." + _LAST_MAIL[last] + tail + "@" + domain
    mail[chance.uniform("no e-mail", customers) < 0.06] = None
    return name, mail


def phone_numbers(chance: Chance, customers: Ints) -> NDArray[np.object_]:
    """E.164, (n,): numbers kept for fiction first, then made-up ones; a few shared by two customers, some None."""
    n = customers.copy()
    shared = (chance.uniform("shared phone", customers) < 0.006) & (customers > 0)
    n[shared] -= 1
    place = n * 7919 % DRAMA_SIZE  # 7919 is prime to both sizes: a permutation
    drama = _DRAMA_FULL[place // 1000] + _THREE[place % 1000]
    place = (n - DRAMA_SIZE).clip(0) * 7919 % SYNTHETIC_SIZE
    made_up = (
        np.array([f"+{p}" for p in SYNTHETIC], object)[place // 100_000]
        + _TWO[place // 1000 % 100]
        + _THREE[place % 1000]
    )
    phone: NDArray[np.object_] = np.where(n < DRAMA_SIZE, drama, made_up)
    mobile = chance.uniform("drama mobile", n) < 0.01
    phone[mobile] = "+447700900" + _THREE[n[mobile] % 1000]
    phone[chance.uniform("no phone", customers) < 0.035] = None
    return phone


def staff_names(chance: Chance, n: int, floor: int) -> list[str]:
    """n different names for one floor's people."""
    people = np.arange(n)
    start = chance.below(len(FIRST), "staff first", floor + 1)[0]
    first = (start + 37 * people) % len(FIRST)
    last = chance.below(len(LAST), "staff last", floor + 1, people)
    return [f"{FIRST[f]} {LAST[s]}" for f, s in zip(first, last, strict=True)]
