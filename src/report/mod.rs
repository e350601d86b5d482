//! Values in, text out: what people and machines read.

pub mod findings;

#[cfg(test)]
mod broken_documents;
