"""Vendors' categories of movements as ours, as data: one table a vendor."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from orchestrator.domain import TransactionCategory as Ours

__all__ = [
    "BELVO_CATEGORIES",
    "BITSO_CATEGORIES",
    "FINICITY_CATEGORIES",
    "MX_CATEGORIES",
    "PLAID_CATEGORIES",
    "category_among",
]


def category_among(table: Mapping[str, Ours], *labels: str | None) -> Ours | None:
    """The first of the labels that the table knows; `OTHER` where it knows none, None without any.

    Args:
        table: the vendor's.
        labels: the vendor's own words, the narrowest first.

    """
    told = [label for label in labels if label is not None]
    return next((table[label] for label in told if label in table), Ours.OTHER if told else None)


def _table(groups: Mapping[Ours, Iterable[str]]) -> Mapping[str, Ours]:
    return MappingProxyType({label: ours for ours, labels in groups.items() for label in labels})


BITSO_CATEGORIES: Final = _table(
    {
        Ours.INVESTMENT: ("trade",),
        Ours.FEES: ("fee",),
        Ours.TRANSFER: ("funding", "withdrawal"),
    }
)
"""Operations of Bitso's ledger."""

PLAID_CATEGORIES: Final = _table(
    {
        Ours.INCOME: ("INCOME",),
        Ours.CASH: ("TRANSFER_OUT_WITHDRAWAL", "TRANSFER_IN_DEPOSIT"),
        Ours.INVESTMENT: (
            "TRANSFER_IN_INVESTMENT_AND_RETIREMENT_FUNDS",
            "TRANSFER_OUT_INVESTMENT_AND_RETIREMENT_FUNDS",
        ),
        Ours.TRANSFER: ("TRANSFER_IN", "TRANSFER_OUT"),
        Ours.LOAN_PAYMENT: (
            "LOAN_PAYMENTS",
            "LOAN_DISBURSEMENTS",
            "TRANSFER_IN_CASH_ADVANCES_AND_LOANS",
        ),
        Ours.HOME_AND_UTILITIES: ("RENT_AND_UTILITIES", "HOME_IMPROVEMENT"),
        Ours.FOOD_AND_DRINK: ("FOOD_AND_DRINK",),
        Ours.TRANSPORT_AND_TRAVEL: (
            "TRANSPORTATION",
            "TRAVEL",
            "GENERAL_SERVICES_AUTOMOTIVE",
        ),
        Ours.SHOPPING: ("GENERAL_MERCHANDISE",),
        Ours.ENTERTAINMENT: ("ENTERTAINMENT",),
        Ours.HEALTH_AND_CARE: ("MEDICAL", "PERSONAL_CARE"),
        Ours.EDUCATION: ("GENERAL_SERVICES_EDUCATION",),
        Ours.INSURANCE: ("GENERAL_SERVICES_INSURANCE",),
        Ours.FEES: ("BANK_FEES",),
        Ours.TAXES: ("GOVERNMENT_AND_NON_PROFIT_TAX_PAYMENT",),
        Ours.SERVICES: ("GENERAL_SERVICES",),
        Ours.OTHER: ("GOVERNMENT_AND_NON_PROFIT", "OTHER"),
    }
)
"""Plaid's personal finance categories, detailed and primary (its taxonomy of 2023 and 2025)."""

MX_CATEGORIES: Final = _table(
    {
        Ours.INCOME: ("Income",),
        Ours.CASH: ("Cash", "ATM", "Withdrawal"),
        Ours.LOAN_PAYMENT: ("Credit Card Payment", "Loan Payment", "Student Loan", "Auto Payment"),
        Ours.TRANSFER: ("Transfer",),
        Ours.HOME_AND_UTILITIES: ("Home", "Bills & Utilities"),
        Ours.FOOD_AND_DRINK: ("Food & Dining",),
        Ours.INSURANCE: (
            "Auto Insurance",
            "Health Insurance",
            "Home Insurance",
            "Life Insurance",
        ),
        Ours.TRANSPORT_AND_TRAVEL: ("Auto & Transport", "Travel"),
        Ours.SHOPPING: ("Shopping", "Gifts & Donations", "Kids", "Pets"),
        Ours.ENTERTAINMENT: ("Entertainment",),
        Ours.HEALTH_AND_CARE: ("Health & Fitness", "Personal Care"),
        Ours.EDUCATION: ("Education",),
        Ours.INVESTMENT: ("Investments",),
        Ours.FEES: ("Fees & Charges",),
        Ours.TAXES: ("Taxes",),
        Ours.SERVICES: ("Business Services", "Financial"),
        Ours.OTHER: ("Uncategorized",),
    }
)
"""MX's categories and top-level categories (docs.mx.com)."""

BELVO_CATEGORIES: Final = _table(
    {
        Ours.INCOME: ("Income & Payments", "Deposits"),
        Ours.CASH: ("Withdrawal & ATM",),
        Ours.TRANSFER: ("Transfers",),
        Ours.LOAN_PAYMENT: ("Credits & Loans",),
        Ours.HOME_AND_UTILITIES: ("Bills & Utilities", "Home Decor & Appliances"),
        Ours.FOOD_AND_DRINK: ("Food & Groceries",),
        Ours.TRANSPORT_AND_TRAVEL: ("Transport & Travel",),
        Ours.SHOPPING: ("Personal Shopping",),
        Ours.ENTERTAINMENT: ("Online Platforms & Leisure",),
        Ours.HEALTH_AND_CARE: ("Gyms & Fitness", "Hair & Beauty", "Health", "Pharmacies"),
        Ours.EDUCATION: ("Education",),
        Ours.INSURANCE: ("Insurance",),
        Ours.INVESTMENT: ("Investments & Savings",),
        Ours.FEES: ("Fees & Charges",),
        Ours.TAXES: ("Taxes",),
        Ours.SERVICES: ("Home & Life",),
        Ours.OTHER: ("Unknown",),
    }
)
"""Belvo's categories, and the subcategories that are narrower than ours."""

FINICITY_CATEGORIES: Final = _table(
    {
        Ours.INCOME: ("Allowance", "Bonus", "Income", "Interest Income", "Paycheck", "Deposit"),
        Ours.CASH: ("Cash & ATM", "Transfer for Cash Spending"),
        Ours.TRANSFER: ("Transfer", "Check", "Child Support", "Reimbursement"),
        Ours.LOAN_PAYMENT: (
            "Auto Payment",
            "Credit Card Payment",
            "Loan Interest",
            "Loan Payment",
            "Loan Principal",
            "Loans",
            "Student Loan",
        ),
        Ours.HOME_AND_UTILITIES: (
            "Bills & Utilities",
            "Furnishings",
            "Home",
            "Home Improvement",
            "Home Phone",
            "Home Services",
            "Home Supplies",
            "Internet",
            "Internet / Broadband Charges",
            "Lawn & Garden",
            "Mobile Phone",
            "Mortgage & Rent",
            "Television",
            "Utilities",
        ),
        Ours.FOOD_AND_DRINK: (
            "Alcohol & Bars",
            "Coffee Shops",
            "Fast Food",
            "Food & Dining",
            "Groceries",
            "Restaurants",
        ),
        Ours.TRANSPORT_AND_TRAVEL: (
            "Air Travel",
            "Auto & Transport",
            "Gas & Fuel",
            "Hotel",
            "Parking",
            "Public Transportation",
            "Rental Car & Taxi",
            "Service & Parts",
            "Travel",
            "Vacation",
        ),
        Ours.SHOPPING: (
            "Baby Supplies",
            "Books",
            "Charity",
            "Clothing",
            "Electronics & Software",
            "Gift",
            "Gifts & Donations",
            "Hobbies",
            "Kids",
            "Office Supplies",
            "Pet Food & Supplies",
            "Pet Grooming",
            "Pets",
            "Shopping",
            "Sporting Goods",
            "Toys",
            "Veterinary",
        ),
        Ours.ENTERTAINMENT: (
            "Amusement",
            "Arts",
            "Entertainment",
            "Kids Activities",
            "Movies & DVDs",
            "Music",
            "Newspapers & Magazines",
            "Sports",
            "Streaming Services",
        ),
        Ours.HEALTH_AND_CARE: (
            "Dentist",
            "Doctor",
            "Eyecare",
            "Gym",
            "Hair",
            "Health & Fitness",
            "Laundry",
            "Personal Care",
            "Pharmacy",
            "Spa & Massage",
        ),
        Ours.EDUCATION: ("Babysitter & Daycare", "Books & Supplies", "Education", "Tuition"),
        Ours.INSURANCE: (
            "Auto Insurance",
            "Health Insurance",
            "Home Insurance",
            "Life Insurance",
            "Loan Insurance",
        ),
        Ours.INVESTMENT: ("Buy", "Dividend & Cap Gains", "Investments", "Sell"),
        Ours.FEES: (
            "ATM Fee",
            "Bank Fee",
            "Fees & Charges",
            "Finance Charge",
            "Late Fee",
            "Loan Fees and Charges",
            "Low Balance",
            "Service Fee",
            "Trade Commissions",
        ),
        Ours.TAXES: (
            "Federal Tax",
            "Local Tax",
            "Property Tax",
            "Sales Tax",
            "State Tax",
            "Taxes",
        ),
        Ours.SERVICES: (
            "Advertising",
            "Business Services",
            "Financial",
            "Financial Advisor",
            "Legal",
            "Printing",
            "Shipping",
        ),
        Ours.OTHER: ("Uncategorized",),
    }
)
"""Finicity's categories (`Categories` of its OpenAPI)."""
