/** Runs a program of this folder under the shim that records its file operations and makes them fail. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fixture } from '../models.js';

const compilers = ['cc', 'gcc', 'clang'];

/** The shim, once it is built. */
let library: string | undefined;

function compiled(folder: string): string {
	const target = join(folder, 'files.so');
	const compiler = compilers.find((name) => spawnSync(name, ['--version']).status === 0) ?? 'cc';
	execFileSync(compiler, ['-std=gnu11', '-O1', '-shared', '-fPIC', '-o', target, fixture('shim/files.c'), '-lpthread', '-ldl']);
	return target;
}

export interface Shimmed {
	/** Each line of JSON the program printed. */
	readonly lines: unknown[];
	/** For readLog. */
	readonly log: string;
}

/** Runs `program` with `task` as its argument, until it ends or a fault kills it; `root` is the folder that the shim watches, `scratch` one outside it. */
export function runShimmed(program: string, task: object, root: string, scratch: string): Shimmed {
	const folder = mkdtempSync(join(scratch, 'shim-'));
	const [control, log] = ['control', 'log'].map((name) => join(folder, name)) as [string, string];
	library ??= compiled(scratch);
	writeFileSync(control, new Int32Array(5));
	const shim = { LD_PRELOAD: library, UV_USE_IO_URING: '0', FILES_SHIM_ROOT: root, FILES_SHIM_CONTROL: control, FILES_SHIM_LOG: log };
	const { stdout, status, signal } = spawnSync(
		process.execPath,
		['--no-warnings', fileURLToPath(new URL(program, import.meta.url)), JSON.stringify(task)],
		{
			env: { ...process.env, ...shim },
			encoding: 'utf8',
			maxBuffer: 2 ** 28,
			stdio: ['ignore', 'pipe', 'inherit'],
		},
	);
	if (status !== 0 && signal !== 'SIGKILL') throw new Error(`${program} ended with ${status ?? signal}`);
	const lines = stdout.split('\n').filter((line) => line !== '');
	return { lines: lines.map((line) => JSON.parse(line)), log };
}
