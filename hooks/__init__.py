"""Okta event hooks in, stale Atlassian group memberships out: the map of the house.

Imports only go down; rooms on one line do not know each other.
Upstairs the rooms are verbs, on the ground floor proper nouns, in the cellar common nouns.

    __main__                              python -m hooks
    cli/  serve                           doors for people; sockets, signals, tasks
        look explain timeline             one person, now; why; their past
        places                            what a look found there, in lines
        lists mappings alarms             what is stored; which group is which; what is amiss
        replay export foresight           events once more; as a file; what would come of it
        restore                           gives back what was removed
        groups seats                      who has a group's name before a push; what a removal ends
        unlink                            frees an account; what is shown and asked before
        external external_report          people a Force Sync dropped; how they are shown
        audit audit_report                everybody, by pages; as a table, CSV, JSON, HTML
        verify evidence                   whether the journal is whole; the journal as a file
        policy doctor                     judges hooks.toml; judges everything
        findings doors                    how findings look; the vendors alone, for a check
        decisions holding dead            what waits for somebody; how it reads; is given up on
        register hook                     writes the event hook; how it is
        keys chains recovery              seals; which key proves what; catching up, pausing
        demo stage sandbox                the story; how it is played; both stand-ins
        purge forget                      what has outlived its use; a person
        opening choosing ends text        what commands open, and mean; how they end; how lists look
        progress files                    how far long work is; files for their owner alone
    app  operations  wiring  listener     doors for HTTP; opens everything; sockets, their bounds
    policies  ways                        the policy, out of the settings; what opens which vendor
    exchange                              one request and its one answer
    settings/                             only reader of environment and file
        structure secrets                 what the file may say; what the role needs
        demand                            which secret for which role, under which name
        forms mistakes                    texts and their meaning; places and remedies
    worker  catchup                       leases, looks, settles; reads on in the System Log
    replay                                events once more
    register  rehearse                    makes the event hook; only pretends to
    unlink                                deletes one SCIM record, under its owner's lease
    review                                a group's name, taken or free; who comes and goes
    external                              who lies outside, and is not as Okta would have them
    alarm                                 finds what is amiss, tells whoever is to be told
    doctor                                everything that can be wrong, part by part
    rounds                                work about many people
    visit_okta visit_atlassian            what a check asks of each side
    visit_store                           what it asks of ours
    reconcile  survey  pins               one person; whom to know of; names of the policy
    purge  audit                          what has outlived its use; where all is as wanted
    seek  seats                           one SCIM record, all that speaks for it; what groups give
    probe                                 each credential tried; what hooks.toml names, asked for
    collect  everyone                     every list, page by page; a reading of each person
    gathered                              what the lists hold, by person
    pages                                 pages of lists, packed to be kept
    submit  evidence                      writes, and the proof of them; a log line for each step
    afterwards                            what a look leaves to be remembered of a person
    observe                               everything one plan rests on
    inquire  recall                       an answer's worth; what the store knew
    measure  tenure                       groups' sizes; a lease kept while it is used
    gateways/                             whom we talk to
        okta okta_key                     reads; the proof of who asks
        scim organization                 a directory; accounts and local groups
        scim_unlink                       the one DELETE of a SCIM user
        okta_log okta_lists               the System Log; lists page by page
        okta_admin okta_hook_shapes       event hooks through the okta SDK; as our nouns
        okta_review scim_review           how Okta and a directory are set up
        organization_review               and the organization
        notify                            whoever the operator wants told
        okta_shapes organization_shapes   answers as our nouns
        scim_batch scim_patch             changes that wait for one group; the two we may ask for
        organization_writes               the two we may ask of a local group
        organization_lists                its lists, page by page
        organization_finds                by address, by name; what a group gives
        organization_sizes                how many people are in groups
        together                          reads several people need at once
        scim_door                         the way into a directory
        transport                         one door out, every failure an error of ours
        wire answers urls                 one exchange; what it says beside its content; safe paths
        pace  slots  visits               when a call may go; lanes; whose look is let in
        windows  rate                     what is left of a vendor's budget; what headers say
        crowds                            who comes alone, and goes before who comes with many
        credential breaker                the proof; when to stop using it
        place outcome                     what may not be there; how calls end, counted
    store/                                what we remember
        intake                            deliveries, committed in groups
        journal alarms                    steps, and what became of them; who was told of what
        inbox cursor                      events; places in long reads
        people known                      who is who; who holds what
        groups looks refusals             what is remembered of groups; told; left alone
        observed                          what was planned and not to be sent
        mappings holds orders             which group is which; what waits for a person; was ordered
        incidents sizes                   one class over its limit; groups before a day of removals
        lately                            from how many people something was taken
        excuses                           absences that count for nothing: somebody rejected that
        seals erasure                     which key sealed what; everything of a person
        chain proof heads                 rows that prove themselves; whether all do; old log lines
        anew pruning                      chains whose key is lost; what may be deleted of them
        line  turns  marking              who is due, leases and their fences; who is next; marks
        released                          records deleted by order, and a copy of each
        retention taken                   what is over, and what never is; what could be undone
        audits                            readings of everybody, and what they found
        signs                             what a check asks for
        waiting pause tally               what causes a look; whether anything is written; counts
        schema migrations/                brings the shape up to date; its history
        database  writers                 transactions as plain functions; which is next
        tables audit_tables columns       shape
        sealing engines                   secrecy, how each engine is opened
    figures  clock  logs  release         every metric; the time; what lines hold; which one it is
    core/                                 what we decide: pure
        checkup_atlassian                 Atlassian's side judged, what to do
        checkup_okta checkup_people       Okta's; what it calls people
        checkup_here                      ours: store, secrets, clock
        reach access                      what hooks.toml reaches; what a credential opens
        finding                           what a check found, and the way out
        severance conflict                whether a record may be deleted; a group be pushed
        outside                           who is external; what Atlassian let go of
        decide report drift               a reading and a policy in, a plan out; words for it
        organization                      the groups it keeps itself
        regain ordered local              one such membership, given back, by order, or taken
        change brake missed               one synced membership; how many people; what vanished
        seats                             what ends with a group, and whose seat comes free
        plan attempt alarm                ordered steps; what follows a look; who is told when
        returning rules                   back after an absence; what a local rule means
        log_file log_entry                a file of events, however broken; one object of it
        identity standing mapping         who; in force or absent; which groups
        claims ledger protection          what events say; what we took; from whom we must not
        registration                      what Okta's hook must be, and who stands in for it
        log_event event_hook              a delivery's bytes; who may deliver
        refusal payload                   why something is left alone; JSON within bounds
        policy reading                    what was decided; what was seen
        asks history memory               questions; what the log shows; what the store knew
        membership                        the nouns both sides share
        ids
        errors
    sandbox/                              stand-ins for both vendors; imports nothing of ours
        story world                       worlds to begin with; what both vendors live in
        people groups provisioning        what admins do, and what Okta then does
        org directory system_log past     what each side knows, and knew
        base ids credentials switches     shapes; who may call; every doubtful behaviour
        server control door faults        loopback; playing admin; trouble on demand
        delivery                          event hooks as Okta sends them
        okta okta_auth okta_expression okta_filter okta_hooks okta_json okta_log okta_pages
        okta_reads
        atlassian scim_api scim_json scim_patch scim_rules
        organization/ jira                accounts, local groups, the admin API; their Jira site
"""
