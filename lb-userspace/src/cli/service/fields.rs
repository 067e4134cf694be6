//! Flags that state several things at once: `prefix4=24,timeout=10m`.

use clap::ValueEnum;

/// The names and values in a text, each name once.
pub(crate) fn fields(text: &str) -> Result<Vec<(&str, &str)>, String> {
    let mut fields: Vec<(&str, &str)> = Vec::new();
    for part in text.split(',') {
        let (name, value) = part
            .split_once('=')
            .ok_or_else(|| format!("{part:?} is not a name, '=' and a value"))?;
        if fields.iter().any(|(other, _)| *other == name) {
            return Err(format!("{name} is stated twice"));
        }
        fields.push((name, value));
    }
    Ok(fields)
}

/// A value as one of a few words.
pub(crate) fn one_of<T: ValueEnum>(name: &str, value: &str) -> Result<T, String> {
    T::from_str(value, false).map_err(|_| {
        let words: Vec<String> = T::value_variants().iter().map(crate::state::named).collect();
        format!("{name}: {value:?} is not one of: {}", words.join(", "))
    })
}
