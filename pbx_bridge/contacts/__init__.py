"""Contacts from elsewhere: CSV and vCard files, web servers and CardDAV address books."""
