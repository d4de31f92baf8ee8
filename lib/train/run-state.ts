/** run_state.json of a checkpoint: what a run needs besides weights and moments to go on as if it had never stopped. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Fingerprint } from '../data/row.js';
import { TrainingError } from '../errors.js';
import type { Counters } from '../runtime/native.js';
import type { BestState } from './best.js';
import type { Checkpoint } from './checkpoint.js';
import type { LogEntry } from './events.js';
import { exactJson, parseExactJson } from './exact-json.js';
import type { LoopState } from './loop.js';
import type { LossSum, MeterState } from './meter.js';
import type { HistoryState } from './record.js';
import { type Schedule, scheduleNames } from './schedule.js';
import { anything, double, exactly, list, object, oneOf, orNull, type Reader, sha256, table, text, whole } from './strict.js';

/** What makes two runs the same run. */
export interface Identity {
	readonly data: {
		readonly train: Fingerprint;
		/** null where nothing is measured, or a share of `train` is. */
		readonly eval: Fingerprint | null;
	};
	/** The model the run started from: its name as given, and a sum over config, vocabulary and weights. */
	readonly model: { readonly name: string; readonly sha256: string };
	readonly labels: readonly string[];
	/** Options, settled, null where one has no value; without those that the other fields settle: train, eval unless a share, model, labels, device, dtype, threads. */
	readonly options: Readonly<Record<string, unknown>>;
	readonly machine: Machine;
}

/** What decides the last bits of a result. */
export interface Machine {
	readonly distiltune: string;
	readonly node: string;
	readonly libtorch: string;
	readonly device: string;
	readonly dtype: string;
	readonly threads: number;
	/** Processes that train together. */
	readonly world: number;
	readonly isa: string;
	/** Kernel chosen for each operation that has several. */
	readonly kernels: Readonly<Record<string, string>>;
}

export interface RunState {
	readonly format: 1;
	/** As the manifest has them. */
	readonly step: number;
	readonly epoch: number;
	readonly globalSamples: number;
	readonly loop: LoopState;
	/** What dropout and AdamW hang on. */
	readonly counters: Counters;
	readonly schedule: Schedule;
	/** Every random draw: its algorithm, so that another one is not taken for it, and what it starts from; none has a state beside counts. */
	readonly generators: {
		readonly order: { readonly algorithm: 'mt19937'; readonly compat: string; readonly seed: string };
		readonly dropout: { readonly algorithm: 'philox4x32-10'; readonly seed: number };
	};
	/** Seconds of training so far, evaluations included. */
	readonly seconds: number;
	readonly history: HistoryState;
	/** What the diagnosis has gathered, in its own form. */
	readonly watch: Readonly<Record<string, unknown>>;
	/** Parameters the model to start from did not have. */
	readonly drawnFromSeed: readonly string[];
	readonly identity: Identity;
}

export const runStateFile = 'run_state.json';

export const runStateText = (state: RunState): string => exactJson(state);

/** The state in a checkpoint that was found whole. Throws TrainingError CHECKPOINT_DAMAGED where it is not one of ours after all. */
export async function readRunState({ folder, manifest }: Checkpoint): Promise<RunState> {
	try {
		const state = runState(parseExactJson(await readFile(join(folder, runStateFile), 'utf8')), runStateFile);
		for (const key of ['step', 'epoch', 'globalSamples'] as const)
			if (state[key] !== manifest[key]) throw new Error(`${runStateFile} has ${key} ${state[key]}, its manifest ${manifest[key]}`);
		return state;
	} catch (cause) {
		throw new TrainingError('CHECKPOINT_DAMAGED', `${folder} is not a whole checkpoint: ${(cause as Error).message}`, { cause });
	}
}

const fingerprint = object<Fingerprint>({ source: text, rows: whole, sha256 });
/** Entries that are told again, never computed with; their own fields are the business of who wrote them. */
const entries = <Entry>() => list(table(anything)) as unknown as Reader<readonly Entry[]>;

const identity = object<Identity>({
	data: object<Identity['data']>({ train: fingerprint, eval: orNull(fingerprint) }),
	model: object<Identity['model']>({ name: text, sha256 }),
	labels: list(text),
	options: table(anything),
	machine: object<Machine>({
		...{ distiltune: text, node: text, libtorch: text, device: text, dtype: text, threads: whole, world: whole, isa: text },
		kernels: table(text),
	}),
});

const lossSum = object<LossSum>({ loss: double, count: whole });

const loop = object<LoopState>({
	step: whole,
	epoch: double,
	pass: whole,
	batches: whole,
	waiting: list(double),
	skipped: whole,
	owes: oneOf('nothing', 'step', 'epoch'),
	meter: object<MeterState>({ sinceLog: lossSum, epoch: lossSum, whole: lossSum }),
	loggedLoss: orNull(double),
	last: orNull(object<LogEntry>({ step: whole, epoch: double, loss: double, gradNorm: double, learningRate: double })),
	tokens: whole,
	paddedTokens: whole,
	best: object<BestState>({ best: orNull(object<NonNullable<BestState['best']>>({ value: double, step: whole })), withoutGain: whole }),
});

const runState = object<RunState>({
	format: exactly(1),
	step: whole,
	epoch: double,
	globalSamples: whole,
	loop,
	counters: object<Counters>({ steps: whole, microBatches: whole, pending: whole }),
	schedule: object<Schedule>({ name: oneOf(...scheduleNames), learningRate: double, warmup: whole, totalSteps: whole, kwargs: table(double) }),
	generators: object<RunState['generators']>({
		order: object<RunState['generators']['order']>({ algorithm: exactly('mt19937'), compat: text, seed: text }),
		dropout: object<RunState['generators']['dropout']>({ algorithm: exactly('philox4x32-10'), seed: whole }),
	}),
	seconds: double,
	history: object<HistoryState>({ entries: entries(), epochs: entries(), warnings: entries() }),
	watch: table(anything),
	drawnFromSeed: list(text),
	identity,
});
