//! Rust source as text, just well enough: where comments and literals are, where tests start, where a
//! body ends. It is no parser, because a rule about lines needs none.

/// The text with comments and the insides of literals blanked, every line at its place.
pub(crate) fn masked(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let continues_word = out.chars().next_back().is_some_and(is_word);
        let length = opaque(rest, continues_word);
        if length == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        out.extend(rest[..length].chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        rest = &rest[length..];
    }
    out
}

/// How many bytes at the start of `rest` are a comment or a literal.
fn opaque(rest: &str, continues_word: bool) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment(rest);
    }
    if rest.starts_with('"') {
        return quoted(rest);
    }
    if rest.starts_with('\'') {
        return character(rest);
    }
    if !continues_word && rest.starts_with(['r', 'b', 'c']) {
        return raw(rest);
    }
    0
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        let here = &rest.as_bytes()[at..];
        if here.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if here.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (at, byte) in rest.bytes().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// A character in quotes, or nothing for a lifetime.
fn character(rest: &str) -> usize {
    let mut characters = rest.char_indices().skip(1);
    match (characters.next(), characters.next()) {
        // The character after the backslash may be a quote itself.
        (Some((_, '\\')), Some((at, escaped))) => {
            let after = at + escaped.len_utf8();
            rest[after..].find('\'').map_or(0, |end| after + end + 1)
        }
        (Some(_), Some((at, '\''))) => at + 1,
        _ => 0,
    }
}

/// `r"..."`, `br#"..."#` and the like, or nothing for an ordinary word.
fn raw(rest: &str) -> usize {
    let prefix = rest.find(|c| !['r', 'b', 'c'].contains(&c)).unwrap_or(rest.len());
    let hashes = rest[prefix..].bytes().take_while(|byte| *byte == b'#').count();
    let open = prefix + hashes;
    if prefix > 2 || !rest[..prefix].contains('r') || !rest[open..].starts_with('"') {
        return 0;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    rest[open + 1..].find(&close).map_or(rest.len(), |end| open + 1 + end + close.len())
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// What lies above the first module that is compiled for tests only.
pub(crate) fn without_tests(masked: &str) -> &str {
    let mut from = 0;
    while let Some(found) = masked[from..].find("#[cfg(test)]") {
        let at = from + found;
        from = at + "#[cfg(test)]".len();
        let line = masked[from..].trim_start().lines().next().unwrap_or_default();
        let is_module = line.starts_with("mod ") || line.starts_with("pub");
        if is_module && line.contains("mod ") && line.ends_with('{') {
            return &masked[..at];
        }
    }
    masked
}

/// Where the body of the function that starts at `start` ends; `None` without a body.
pub(crate) fn body_end(masked: &str, start: usize) -> Option<usize> {
    let mut depth = 0_usize;
    // A semicolon inside brackets, as in `[u8; 32]`, does not end a declaration.
    let mut brackets = 0_usize;
    for (at, byte) in masked.bytes().enumerate().skip(start) {
        match byte {
            b'{' => depth += 1,
            b'}' if depth <= 1 => return (depth == 1).then_some(at),
            b'}' => depth -= 1,
            b'[' if depth == 0 => brackets += 1,
            b']' if depth == 0 => brackets = brackets.saturating_sub(1),
            b';' if depth == 0 && brackets == 0 => return None,
            _ => {}
        }
    }
    None
}

/// The line of a byte, counted from 1.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset].iter().filter(|byte| **byte == b'\n').count() + 1
}

#[test]
fn comments_and_literals_are_blanked_and_lines_kept() {
    // In what is expected, a dot stands for a blank.
    for (text, expected) in [
        ("a // b\nc", "a ....\nc"),
        ("a /* /* b */\n */ c", "a ..........\n... c"),
        (r#"a("b \" // c", d)"#, "a(..........., d)"),
        ("a(r#\"b\"c\"#, d)", "a(........, d)"),
        ("a(br\"b\\\", '\\'', '{', b'\"')", "a(......, ...., ..., b...)"),
        ("fn a<'a>(b: &'a str) {}", "fn a<'a>(b: &'a str) {}"),
        ("bar(\"x\")", "bar(...)"),
    ] {
        assert_eq!(masked(text), expected.replace('.', " "), "{text}");
    }
}

#[test]
fn a_body_ends_at_its_own_brace() {
    let text = "fn a(b: [u8; 3]) { if c { } }\nfn d();\n";
    assert_eq!(body_end(text, 0), Some(28));
    assert_eq!(body_end(text, 30), None);
}

#[test]
fn tests_start_at_the_first_module_for_tests() {
    for tests in ["mod tests {", "pub(super) mod tests {", "pub mod sample {"] {
        let text = format!("#[cfg(test)]\nmod a;\nfn b() {{}}\n#[cfg(test)]\n{tests}\n}}\n");
        assert_eq!(without_tests(&text), "#[cfg(test)]\nmod a;\nfn b() {}\n");
    }
}
