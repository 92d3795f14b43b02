"""The names of columns that stand beside a number and say which one it is: its country's code, its country, its area
code, as lists in the usual languages call them. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from campaigns.column_names import MOST_NUMBERS, name_words


class HintKind(StrEnum):
    """What a column says of the number beside it."""

    COUNTRY = "country"
    AREA = "area"
    PREFIX = "prefix"
    """A country's code where its cell has a plus, an area's where it has digits alone, and none of the number's where
    it has neither (a name's: Dr.)."""
    MAYBE = "maybe"
    """A name that may mean another country, or none (IP Country, CC): a country where its cell is one."""


@dataclass(frozen=True, slots=True)
class Hint:
    """A column that says something of the number: where it is, its name, what it says, and of which of a contact's
    numbers, from 2; None of those that have none of their own."""

    index: int
    column: str
    kind: HintKind
    number: int | None = None


def _words(text: str) -> frozenset[str]:
    return frozenset(text.casefold().split())


# Names as `name_words` makes them, joined.
_COUNTRY_COLUMNS = _words(
    """
    callingcode countrycallingcode countrycode countrydialcode countrydialingcode countryiso countryiso2
    countryiso3 countryname countryphonecode dialcode dialingcode diallingcode idd internationalcode intlcode isd
    isdcode isocode isocountry isocountrycode phonecode phonecountry phonecountrycode phonedialcode
    auslandsvorwahl internationalevorwahl landeskennzahl landesvorwahl ländercode ländervorwahl länderkennung
    länderkennzahl laendercode laendervorwahl laenderkennzahl landcode landekode landenummer
    landkode landnr landnummer landskod landsnummer landsprefix maakoodi maatunnus
    codepays indicatifinternational indicatifpays
    codigodepais codigointernacional codigopais códigodepaís códigointernacional códigopaís ladainternacional
    prefijointernacional prefijopais prefijopaís prefixointernacional
    codicepaese prefissointernazionale prefissopaese
    kodkraju kraj országhívószám országkód ülkekodu kodenegara mãquốcgia quốcgia รหัสประเทศ देशकोड
    кодстраны международныйкод κωδικόςχώρας 国家代码 国家区号 国家码 国码 国际区号
    國家代碼 國碼 國際區號 国コード 国番号 국가번호 국가코드
    رمزالدولة رمزالبلد كودالدولة كودالبلد مفتاحالدولة مفتاحالبلد קודמדינה
    """
)
_AREA_COLUMNS = _words(
    """
    citycode npa phonearea phonecitycode std stdcode
    codigoarea codigodearea códigodeárea clavelada ddd indicatifrégional kengetal lada netnummer ortskennzahl
    ortsvorwahl prefijolocal prefissolocale riktnummer suuntanumero vorwahl
    alankodu kodearea körzetszám кодгорода 市外局番 지역번호 رمزالمنطقة
    """
)
_PREFIX_COLUMNS = _words(
    """
    prefix prefiks prefixo prefijo prefijotelefonico prefijotelefónico prefisso prefissotelefonico
    indicatif indicatiftelephonique indicatiftéléphonique indicativo kierunkowy numerkierunkowy predvoľba předvolba
    телефонныйкод 区号 区號 區號 电话区号 電話區號 קידומת
    """
)
_MAYBE_COLUMNS = _words(
    "cc contactcode ddi iso iso2 iso3 lkz mobilecc mobilecode phonecc telcode telephonecode"
)
# A name of several words: one of the first, and nothing else but what says whose or how (Mailing Country/Region).
_COUNTRY = _words(
    """
    country land nation pais país paese nazione pays ülke ország țara țară země krajina država šalis valsts riik maa
    страна країна държава држава χώρα negara देश ประเทศ 国 国家 国名 國家 국가 나라 البلد الدولة מדינה
    """
)
_BESIDE_COUNTRY = _words(
    """
    region territory mailing billing shipping delivery home business work office company account lead client default
    other address phone tel telephone mobile cell contact code name iso iso2 iso3 dial dialing dialling calling
    primary secondary customer of number
    geschäftlich privat weitere weiteres r vorwahl telefon
    region région bureau domicile travail code du de
    región región particular trabajo negocios código codigo prefijo indicativo teléfono telefono del
    região comercial residencial indicativo telefone do
    regione codice prefisso ufficio abitazione prefix kod kodu kód cod код код телефона регион bölge
    地区 地區 地域 지역
    """
)
_BESIDE_AREA = _words(
    "phone tel telephone mobile cell home work business office other primary contact number code"
)
_OF_A_PREFIX = _words(
    "phone tel telephone mobile cell country dial dialing dialling calling intl international number"
)
_OF_SOMEBODY = _words("manager director owner head rep agent club")
"""Of a name with one of these the rest is no country of the number's."""


def hints(columns: Iterable[tuple[int, str]]) -> tuple[Hint, ...]:
    """Those of the columns, by position and name, that say something of a number beside them."""
    found: list[Hint] = []
    for index, name in columns:
        words = name_words(name)
        places = [int(word) for word in words if word.isdecimal() and len(word) == 1]
        kind = _kind([word for word in words if not word.isdecimal()])
        if kind is not None:
            number = places[0] if len(places) == 1 and 1 < places[0] <= MOST_NUMBERS else None
            found.append(Hint(index, name, kind, number))
    return tuple(found)


def _kind(in_order: list[str]) -> HintKind | None:
    words, plain = frozenset(in_order), "".join(in_order)
    if plain in _COUNTRY_COLUMNS or (words & _COUNTRY and words <= _COUNTRY | _BESIDE_COUNTRY):
        return HintKind.COUNTRY
    if plain in _PREFIX_COLUMNS:
        return HintKind.PREFIX
    if ("prefix" in words and words - {"prefix"} <= _OF_A_PREFIX) or plain.removesuffix(
        "prefix"
    ) in _OF_A_PREFIX:
        return HintKind.COUNTRY
    if (
        plain in _AREA_COLUMNS
        or plain.endswith("areacode")
        or (words >= {"area", "code"} and words - {"area"} <= _BESIDE_AREA)
    ):
        return HintKind.AREA
    if plain in _MAYBE_COLUMNS or (words & _COUNTRY and not words & _OF_SOMEBODY):
        return HintKind.MAYBE
    return None
