"""Okta event hooks in, stale Atlassian group memberships out: the map of the house.

Imports only go down; rooms on one line do not know each other.
Upstairs the rooms are verbs, on the ground floor proper nouns, in the cellar common nouns.

    __main__                              python -m hooks
    cli  serve                            doors for people; sockets, signals, tasks
    app  operations  wiring               doors for HTTP; opens everything
    settings/                             only reader of environment and file
        structure secrets                 what the file may say; what the role needs
        demand                            which secret for which role, under which name
        forms mistakes                    texts and their meaning; places and remedies
    worker catchup replay audit doctor    verbs, none of which knows another
    restore register review unlink external
    reconcile  survey                     one person; everyone, by pages
    gateways/                             whom we talk to
        okta okta_admin scim scim_unlink organization
        transport                         one way out, every failure an error of ours
        pace                              budgets, lanes, breakers
    store/                                what we remember
        intake                            deliveries, committed in groups
        inbox journal cursor people       events; steps; log position; who is who
        line                              who is due, leases and their fences
        database                          one writer, plain functions of a transaction
        tables sealing migrations/        shape, secrecy, history of the shape
    figures  clock                        every metric; the time, from one place
    core/                                 what we decide: pure
        decide report
        standing mapping plan brake attempt log_event event_hook
        policy reading
        membership
        errors ids
    sandbox/                              stand-ins for both vendors; imports nothing of ours
        world okta atlassian story
"""
