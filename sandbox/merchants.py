"""Who the holders of this world deal with, and in which words their banks say so."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = ["SHOPS", "UTILITIES", "WORDS", "Category", "Shop"]


class Category(StrEnum):
    """What a movement is for; each vendor spells it in its own taxonomy."""

    SALARY = "salary"
    RENT = "rent"
    UTILITIES = "utilities"
    GROCERIES = "groceries"
    RESTAURANT = "restaurant"
    TRANSPORT = "transport"
    SHOPPING = "shopping"
    LEISURE = "leisure"
    CASH = "cash"
    CARD_PAYMENT = "card_payment"
    LOAN_PAYMENT = "loan_payment"
    TRANSFER = "transfer"
    INTEREST = "interest"


@dataclass(frozen=True, slots=True)
class Shop:
    """Where the holder buys: prices in cents, before the holder's price level."""

    merchant: str
    category: Category
    low: int
    high: int


SHOPS: Final = {
    "US": (
        Shop("Corner Market", Category.GROCERIES, 1200, 9800),
        Shop("Green Valley Foods", Category.GROCERIES, 2100, 16400),
        Shop("Sunrise Coffee", Category.RESTAURANT, 380, 1290),
        Shop("Noodle Harbor", Category.RESTAURANT, 1150, 4700),
        Shop("Metro Transit", Category.TRANSPORT, 275, 275),
        Shop("Prairie Fuel", Category.TRANSPORT, 2400, 6900),
        Shop("Harbor Hardware", Category.SHOPPING, 890, 14200),
        Shop("Maple & Thread", Category.SHOPPING, 1900, 18700),
        Shop("Starlight Cinema", Category.LEISURE, 1100, 4200),
        Shop("Streambox", Category.LEISURE, 1599, 1599),
    ),
    "MX": (
        Shop("Abarrotes La Esquina", Category.GROCERIES, 900, 7800),
        Shop("Súper Valle Verde", Category.GROCERIES, 1900, 14900),
        Shop("Café del Alba", Category.RESTAURANT, 310, 990),
        Shop("Tacos El Puerto", Category.RESTAURANT, 620, 3100),
        Shop("Transporte Urbano", Category.TRANSPORT, 70, 70),
        Shop("Gasolinera La Pradera", Category.TRANSPORT, 2600, 7400),
        Shop("Ferretería Bahía", Category.SHOPPING, 700, 11800),
        Shop("Telas y Maples", Category.SHOPPING, 1500, 15200),
        Shop("Cine Estrella", Category.LEISURE, 640, 2600),
        Shop("Streambox", Category.LEISURE, 1450, 1450),
    ),
}
UTILITIES: Final = {
    "US": ("Lakeside Power", "Clearwater Utility", "Northline Mobile"),
    "MX": ("Luz del Lago", "Aguas Claras", "Móvil del Norte"),
}
WORDS: Final = {
    "US": {
        "salary": ("ACME CORP PAYROLL DIRECT DEP", "Acme Corp"),
        "rent": ("ELM STREET PROPERTIES RENT", "Elm Street Properties"),
        "cash": ("ATM WITHDRAWAL", None),
        "card_payment": ("CREDIT CARD PAYMENT", None),
        "card_received": ("PAYMENT THANK YOU", None),
        "loan_payment": ("HOME LOAN PAYMENT", None),
        "to_savings": ("ONLINE TRANSFER TO SAVINGS", None),
        "from_checking": ("ONLINE TRANSFER FROM CHECKING", None),
        "broker": ("TRANSFER BEACON BROKERAGE", "Beacon Brokerage"),
        "interest": ("INTEREST PAYMENT", None),
        "hold": ("PRAIRIE FUEL PREAUTHORIZATION", "Prairie Fuel"),
    },
    "MX": {
        "salary": ("PAGO DE NOMINA ACME SA DE CV", "Acme SA de CV"),
        "rent": ("SPEI ENVIADO RENTA CALLE OLMO", "Inmobiliaria Olmo"),
        "cash": ("RETIRO CAJERO AUTOMATICO", None),
        "card_payment": ("PAGO TARJETA DE CREDITO", None),
        "card_received": ("SU PAGO GRACIAS", None),
        "loan_payment": ("PAGO CREDITO PERSONAL", None),
        "to_savings": ("TRASPASO A CUENTA DE AHORRO", None),
        "from_checking": ("TRASPASO DE CUENTA DE NOMINA", None),
        "broker": ("SPEI CASA DE BOLSA FARO", "Casa de Bolsa Faro"),
        "interest": ("INTERESES GANADOS", None),
        "hold": ("PREAUTORIZACION GASOLINERA", "Gasolinera La Pradera"),
    },
}
