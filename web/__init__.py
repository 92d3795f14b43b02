"""The board: the pages on which a campaign manager runs a day's dialling. Whatever they show, the API told them."""
