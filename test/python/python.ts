import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { Dataset } from '../../lib/index.js';

/** Runs a script of this folder in the peers' environment: `input` as JSON to its standard input, JSON back from its standard output. */
export function python(script: string, input: unknown): unknown {
	const interpreter = process.env.DISTILTUNE_PEER_PYTHON;
	if (interpreter === undefined)
		throw new Error('Expected the Python of bench/peers in DISTILTUNE_PEER_PYTHON: run these tests by npm run test:python');
	const path = fileURLToPath(new URL(script, import.meta.url));
	// Offline: everything these scripts open lies on this disk.
	const env = { ...process.env, HF_HUB_OFFLINE: '1', TRANSFORMERS_VERBOSITY: 'error' };
	const { status, stdout, stderr, error } = spawnSync(interpreter, [path], {
		input: JSON.stringify(input),
		encoding: 'utf8',
		maxBuffer: 2 ** 28,
		env,
	});
	if (status !== 0) throw new Error(`${script} ended with ${status ?? error?.message}:\n${stderr}`);
	return JSON.parse(stdout);
}

/** The first `count` posts of examples/depression/eval.csv. */
export async function posts(count: number): Promise<string[]> {
	const texts: string[] = [];
	for await (const { text } of Dataset.fromCsv(new URL('../../examples/depression/eval.csv', import.meta.url))) {
		if (texts.length === count) break;
		texts.push(text);
	}
	return texts;
}

/** Uniform numbers from 0 to below 1, the same for the same seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
	let state = seed;
	return () => {
		state = (state + 0x6d2b79f5) | 0;
		let mixed = Math.imul(state ^ (state >>> 15), state | 1);
		mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
		return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
	};
}

/** Natural logarithms of probabilities from logits, in double: what a Classifier's scores are made of. */
export function logProbabilities(logits: readonly number[]): number[] {
	const largest = Math.max(...logits);
	const sum = logits.reduce((total, logit) => total + Math.exp(logit - largest), 0);
	return logits.map((logit) => logit - largest - Math.log(sum));
}

export function largestGap(a: readonly number[], b: readonly number[]): number {
	if (a.length !== b.length) throw new Error(`Expected as many values on both sides, got ${a.length} and ${b.length}`);
	return a.reduce((most, value, index) => Math.max(most, Math.abs(value - (b[index] as number))), 0);
}
