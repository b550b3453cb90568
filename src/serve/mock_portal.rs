//! (portal)
