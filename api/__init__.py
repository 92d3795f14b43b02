"""What every route shares: authentication, schemas, errors, paging, uploads, notifying the dialers."""
