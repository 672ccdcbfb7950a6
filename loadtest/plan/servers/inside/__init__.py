"""What runs in the interpreter of a project under test, in front of it and never in its folder.

The standard library and Django 3.2 or newer, under Python 3.8 or newer; nothing of loadtest.
"""
