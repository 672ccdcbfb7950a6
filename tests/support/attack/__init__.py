"""Attacks on the tool: what it must not do, tried many times at random, each by its seed again.

    make attack                                # all of it: two or three hours
    make attack ARGS='readers --share 0.01'    # one part, and little of it
    make attack ARGS='kills --only "kill run" --seed 7 --begin 40 --times 20'    # a piece of one
    make attack ARGS='run.json outcomes --minutes 30'    # two readers, for so long
    make attack ARGS=user                      # as root: what an ordinary user meets

It types commands and calls the readers of files as the commands do; it knows nothing of how either
protects itself. A try that fails prints what to type for it alone.
"""
