// The machine a measurement was made on, and what it allowed in the same minutes.
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { libtorchDefinitions } from '../dist/runtime/build.js';
import { resolveLibtorch } from '../dist/runtime/libtorch.js';
import { findCMake } from '../dist/runtime/toolchain.js';
import { Turns } from './turns.mjs';

export const root = dirname(dirname(fileURLToPath(import.meta.url)));

const flags = /^flags\s*:(.*)$/m.exec(readIfThere('/proc/cpuinfo'))?.[1]?.split(' ') ?? [];
/** Whether the processor multiplies bf16 itself; without that a library does it through fp32, slower than fp32. */
export const hasBf16 = flags.includes('avx512_bf16') || flags.includes('amx_bf16');

function readIfThere(path) {
	try {
		return readFileSync(path, 'utf8');
	} catch {
		return '';
	}
}

/** Builds a program of bench/*.cpp and returns its path. */
export async function benchProgram(name) {
	const folder = join(root, 'build-cmake', 'bench');
	const cmake = await findCMake(() => {});
	const quiet = { stdio: ['ignore', 'ignore', 'inherit'] };
	const definitions = ['DISTILTUNE_BENCH=ON', 'CMAKE_BUILD_TYPE=Release', ...libtorchDefinitions(resolveLibtorch())].map((each) => `-D${each}`);
	execFileSync(cmake, ['-S', root, '-B', folder, ...definitions], quiet);
	execFileSync(cmake, ['--build', folder, '--parallel', '--target', name], quiet);
	return join(folder, name);
}

/** Register and memory rates, asked for again and again while something else is measured. */
export class Ceilings {
	#probe;
	rounds = [];

	static async start(threads = 0) {
		const ceilings = new Ceilings();
		ceilings.#probe = new Turns(await benchProgram('bench_machine'), [String(threads)]);
		return ceilings;
	}

	/** { fp32, bf16, int8 } of registers in 1e9 operations a second, 0 where the processor has none; { tile } of our fp32 fed from the nearest cache; { read, copy } in GB/s. */
	async measure() {
		const round = await this.#probe.take(1);
		this.rounds.push(round);
		return round;
	}

	stop() {
		this.#probe.kill();
	}

	get told() {
		return ceilingsTold(this.rounds);
	}
}

/** Medians of some rounds, and how far they lay apart. */
export function ceilingsTold(rounds) {
	const of = (name) => rounds.map((round) => round[name]);
	const share = (name) => `${median(of(name)).toFixed(0)} (${Math.min(...of(name)).toFixed(0)} to ${Math.max(...of(name)).toFixed(0)})`;
	const { isa, threads, bf16 } = rounds[0];
	const registers = `registers ${isa}, ${threads} threads: fp32 ${share('fp32')} GFLOP/s, ${bf16 > 0 ? `bf16 ${share('bf16')} GFLOP/s` : 'no bf16'}, int8 ${share('int8')} GOP/s`;
	return `${registers}; our fp32 tile from the first-level cache ${share('tile')} GFLOP/s; memory: read ${share('read')}, copy ${share('copy')} GB/s`;
}

export const median = (numbers) => {
	const sorted = [...numbers].sort((a, b) => a - b);
	const middle = sorted.length >> 1;
	return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
};
export const sum = (numbers) => numbers.reduce((total, each) => total + each, 0);

export const machine = () => ({ cpu: cpus()[0].model, cores: cpus().length, node: process.version, loadAverage: loadavg()[0] });

/** A table in Markdown: { rows of cells, the first the head }. */
export const table = ([head, ...rows]) =>
	[head, head.map((_, column) => (column === 0 ? '---' : '---:')), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n');

/** Keeps a result as out/bench/NAME.json, which docs/benchmarks.md is written from. */
export function keep(name, result) {
	const folder = join(root, 'out', 'bench');
	mkdirSync(folder, { recursive: true });
	const path = join(folder, `${name}.json`);
	writeFileSync(path, `${JSON.stringify({ ...result, machine: machine(), date: new Date().toISOString() }, undefined, '\t')}\n`);
	console.error(`kept in ${path}`);
}
