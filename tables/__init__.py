"""The tables as Peewee models, a module for each subject; what is here is had from `models`."""
