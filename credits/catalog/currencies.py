"""How finely money can be paid: the decimals of a currency's smallest unit (ISO 4217). Most have two."""

_DECIMALS = {
    **dict.fromkeys(
        ["BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV", "XAF", "XOF", "XPF"],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
}


def money_decimals(currency: str) -> int:
    """Decimals of the smallest amount that can be paid in `currency`."""
    return _DECIMALS.get(currency, 2)
