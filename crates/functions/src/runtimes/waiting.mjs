// Imported by an interpreter that waits for a function, so that Node has made ready what it loads such modules with.
export {};
