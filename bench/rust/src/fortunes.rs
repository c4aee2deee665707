//! The page of fortunes, written by hand.

use crate::models::Fortune;
use std::fmt::Write;

const HEAD: &str = "<!DOCTYPE html><html><head><title>Fortunes</title></head><body><table>\
                    <tr><th>id</th><th>message</th></tr>";
const FOOT: &str = "</table></body></html>";
/// Longer than the page is.
const ROOM: usize = 2048;

fn escape_into(page: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => page.push_str("&amp;"),
            '<' => page.push_str("&lt;"),
            '>' => page.push_str("&gt;"),
            '"' => page.push_str("&quot;"),
            '\'' => page.push_str("&#39;"),
            other => page.push(other),
        }
    }
}

/// One is added, and they are sorted.
pub fn page(mut rows: Vec<Fortune>) -> String {
    rows.push(Fortune { id: 0, message: "Additional fortune added at request time.".into() });
    rows.sort_by(|a, b| a.message.cmp(&b.message));
    let mut page = String::with_capacity(ROOM);
    page.push_str(HEAD);
    for Fortune { id, message } in &rows {
        write!(page, "<tr><td>{id}</td><td>").expect("a String takes everything");
        escape_into(&mut page, message);
        page.push_str("</td></tr>");
    }
    page.push_str(FOOT);
    page
}
