"""Other programs that are told what happens: webhooks, and CRMs. One file each."""
