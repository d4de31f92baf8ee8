// The shim's control file (test/fixtures/shim/files.c), as the program under it reads and writes it.
import { openSync, readSync, writeSync } from 'node:fs';

const file = openSync(process.env.FILES_SHIM_CONTROL, 'r+');
const words = new Int32Array(5);
const [RECORDING, FAIL_AT, ERROR, STICKY, COUNT] = [0, 1, 2, 3, 4];

function change(values) {
	readSync(file, words, 0, words.byteLength, 0);
	for (const [index, value] of Object.entries(values)) words[index] = value;
	writeSync(file, words, 0, words.byteLength, 0);
}

export const record = (on) => change({ [RECORDING]: on ? 1 : 0 });

/** Makes the `at`-th call from now fail, and all later ones too with `sticky`; error -1 writes half of what was asked for, -2 kills the process. */
export const fail = (at, error, sticky) => change({ [FAIL_AT]: at, [ERROR]: error, [STICKY]: sticky ? 1 : 0, [COUNT]: 0 });

/** Ends that; returns the number of calls since. */
export function heal() {
	change({ [FAIL_AT]: 0 });
	return words[COUNT];
}
