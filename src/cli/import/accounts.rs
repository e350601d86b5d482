//! Names of accounts for new tenants, a line each: `111122223333,acme`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::cli::Failure;
use crate::ids::{AccountId, TenantName};

/// Reads such a file. Empty lines and those that begin with `#` are left out.
pub(super) fn names(path: &Path) -> Result<BTreeMap<AccountId, TenantName>, Failure> {
    let text = fs::read_to_string(path).map_err(|source| Failure {
        causes: vec![source.to_string()],
        ..Failure::new(
            format!("cannot read `{}`", path.display()),
            "name a file with a line for each account: 111122223333,acme",
        )
    })?;
    parsed(&text).map_err(|(line, wrong)| {
        let what = format!("{}:{line}: {wrong}", path.display());
        Failure::new(what, "write a line for each account, such as 111122223333,acme")
    })
}

/// The names, or the line that is wrong and what is wrong with it.
fn parsed(text: &str) -> Result<BTreeMap<AccountId, TenantName>, (usize, String)> {
    let mut names = BTreeMap::new();
    let mut accounts: BTreeMap<TenantName, AccountId> = BTreeMap::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let wrong = |why: String| (index + 1, why);
        let (account, name) = line
            .split_once(',')
            .ok_or_else(|| wrong(format!("`{line}` has no comma between account and name")))?;
        let account: AccountId =
            account.trim().parse().map_err(|error| wrong(format!("{error}")))?;
        let name: TenantName = name.trim().parse().map_err(|error| wrong(format!("{error}")))?;
        if names.insert(account, name.clone()).is_some() {
            return Err(wrong(format!("account {account} comes twice")));
        }
        if accounts.insert(name.clone(), account).is_some() {
            return Err(wrong(format!("the name `{name}` comes twice")));
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_what_is_wrong_is_told_with_its_line() {
        let names = parsed("# ours\n\n111122223333, acme\r\n444455556666,beta\n").expect("names");
        let said: Vec<String> = names.iter().map(|(id, name)| format!("{id}={name}")).collect();
        assert_eq!(said, ["111122223333=acme", "444455556666=beta"]);
        for (text, line) in [
            ("acme", 1),
            ("111122223333,acme\n1111,beta", 2),
            ("111122223333,Acme", 1),
            ("111122223333,acme\n\n111122223333,beta", 3),
            ("111122223333,acme\n444455556666,acme", 2),
        ] {
            assert_eq!(parsed(text).map_err(|(line, _)| line), Err(line), "{text}");
        }
    }
}
