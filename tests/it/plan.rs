mod applying;
mod property;
