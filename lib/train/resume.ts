/** Whether a run may go on from what another left: only the same run may. */
import { isDeepStrictEqual } from 'node:util';
import { ConfigError } from '../errors.js';
import type { Identity, Machine } from './run-state.js';

/** What was and what is. */
export interface Difference {
	/** 'learningRate', 'the training rows' */
	readonly what: string;
	readonly was: unknown;
	readonly is: unknown;
}

export interface Remark {
	readonly code: 'RESUME_OPTION_CHANGED' | 'RESUME_NOT_BIT_EXACT';
	readonly message: string;
}

/** Options that decide where things go, when they are told and what a fault brings. */
const withoutEffect = new Set([
	...['outputDir', 'loggingStrategy', 'loggingSteps', 'loggingFirstStep', 'saveStrategy', 'saveSteps', 'saveTotalLimit', 'reportTo'],
	...['truncation', 'onNonFinite', 'perDeviceEvalBatchSize'],
]);

/** Facts on which the last bits hang. Not the number of threads: kernels give the same bits for any. `dtype` gives other numbers altogether. */
const lastBits = ['distiltune', 'libtorch', 'device', 'world', 'isa', 'kernels'] satisfies (keyof Machine)[];

/**
 * Compares the run that left a checkpoint with the one that would go on. Throws ConfigError RESUME_MISMATCH, `details.differences`, where
 * rows, model, labels, dtype or an option with an effect differ; other differences are for warnings.
 */
export function requireSameRun(was: Identity, is: Identity): Remark[] {
	const options = Object.keys(is.options)
		.filter((name) => Object.hasOwn(was.options, name)) // an older version did not know the others
		.map((what) => ({ what, was: was.options[what], is: is.options[what] }));
	const changed = options.filter(differs);
	const differences = [
		{ what: 'the training rows', was: was.data.train.sha256, is: is.data.train.sha256 },
		{ what: 'the evaluation rows', was: was.data.eval?.sha256 ?? null, is: is.data.eval?.sha256 ?? null },
		{ what: 'the labels', was: was.labels, is: is.labels },
		{ what: 'the model', was: was.model.sha256, is: is.model.sha256 },
		{ what: 'dtype', was: was.machine.dtype, is: is.machine.dtype },
		...changed.filter(({ what }) => !withoutEffect.has(what)),
	].filter(differs);
	if (differences.length > 0) {
		throw new ConfigError('RESUME_MISMATCH', `Expected the run that left the checkpoint, but ${differences.map(sentence).join('; ')}`, {
			hint: 'give it what it had, or start a new run without resume',
			details: { differences },
		});
	}
	const machine = lastBits.map((what): Difference => ({ what, was: was.machine[what], is: is.machine[what] })).filter(differs);
	return [
		...changed.map((each): Remark => ({ code: 'RESUME_OPTION_CHANGED', message: `${sentence(each)}; that changes no result` })),
		...machine.map((each): Remark => ({ code: 'RESUME_NOT_BIT_EXACT', message: `${sentence(each)}; the last bits of the result may differ` })),
	];
}

const differs = ({ was, is }: Difference) => !isDeepStrictEqual(was, is);
const sentence = ({ what, was, is }: Difference) => `${what} was ${JSON.stringify(was)} and is ${JSON.stringify(is)}`;
