package callback

// Sign makes signatures for tests that compare them with known ones.
var Sign = sign
