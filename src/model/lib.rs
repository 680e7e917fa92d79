//! The nouns of Tieline: ids, events, commands, policies, socket frames. No logic, no I/O.
