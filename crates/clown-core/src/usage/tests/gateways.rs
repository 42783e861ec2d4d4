//! Ids of answers that are not Anthropic's.

use super::*;

#[test]
fn a_long_id_is_trusted_whoever_gave_it() {
    let of = |id: &str, changes: Value| claude(id, 5, changes);
    let chat = "chatcmpl-3f2b8a52-91c6-4d27-9a80-0a37e6b1c111";
    let in_session =
        |session: &str| of(chat, json!({"requestId": null, "sessionId": session, "uuid": session}));
    check_claude("two sessions", &[in_session("a"), in_session("b")], 1, 5);
    let asked = |request: &str| {
        of(
            "gen-1771234567-AbCdEfGhIjKlMnOpQrSt",
            json!({"requestId": request}),
        )
    };
    check_claude("two requests", &[asked("a"), asked("b")], 1, 5);
}
