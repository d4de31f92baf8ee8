/** run_state.json of a checkpoint: what a run needs besides weights and moments to go on as if it had never stopped. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import type { Fingerprint } from '../data/row.js';
import { TrainingError } from '../errors.js';
import type { Checkpoint } from './checkpoint.js';
import type { Evaluation, LogEntry } from './events.js';
import { exactJson, parseExactJson } from './exact-json.js';
import type { EpochLoss } from './record.js';
import { anything, double, exactly, flag, list, object, orNull, type Reader, sha256, table, text, whole } from './strict.js';

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

/** A sum of losses and how many they are. */
export interface LossSum {
	readonly loss: number;
	readonly count: number;
}

/** What the loop has counted so far. */
export interface Counted {
	readonly sinceLog: LossSum;
	/** Of the batches of this pass. */
	readonly epoch: LossSum;
	readonly whole: LossSum;
	/** Loss of the latest log entry; null before the first. */
	readonly logged: number | null;
	readonly tokens: number;
	/** Seconds spent so far, evaluations included. */
	readonly seconds: number;
}

export interface RunState {
	readonly format: 1;
	/** Optimizer steps taken. */
	readonly step: number;
	readonly epoch: number;
	readonly globalSamples: number;
	readonly schedule: { readonly type: string; readonly learningRate: number; readonly warmupSteps: number; readonly totalSteps: number };
	readonly order: {
		readonly compat: string;
		readonly seed: number;
		/** The pass that is under way or comes next, from 0. */
		readonly pass: number;
		/** Rows of it that are consumed. */
		readonly offset: number;
		/** Batches among them whose gradients still wait for a step. */
		readonly pendingBatches: number;
	};
	readonly dropout: { readonly seed: number; readonly microBatches: number };
	/** Algorithm of every random draw, so that another one is not taken for it. */
	readonly generators: Readonly<Record<string, string>>;
	/** Of the evaluations so far, by the metric the run goes by; null where it goes by none or has measured nothing. */
	readonly best: { readonly metric: string; readonly greaterIsBetter: boolean; readonly value: number; readonly step: number } | null;
	/** Evaluations in a row without a gain; null without early stopping. */
	readonly earlyStopping: { readonly evaluationsWithoutGain: number } | null;
	readonly counted: Counted;
	readonly history: {
		readonly log: readonly LogEntry[];
		readonly epochs: readonly EpochLoss[];
		readonly evaluations: readonly Evaluation[];
		readonly warnings: readonly { readonly code: string; readonly message: string }[];
	};
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
const lossSum = object<LossSum>({ loss: double, count: whole });
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

const runState = object<RunState>({
	format: exactly(1),
	step: whole,
	epoch: double,
	globalSamples: whole,
	schedule: object<RunState['schedule']>({ type: text, learningRate: double, warmupSteps: whole, totalSteps: whole }),
	order: object<RunState['order']>({ compat: text, seed: whole, pass: whole, offset: whole, pendingBatches: whole }),
	dropout: object<RunState['dropout']>({ seed: whole, microBatches: whole }),
	generators: table(text),
	best: orNull(object<NonNullable<RunState['best']>>({ metric: text, greaterIsBetter: flag, value: double, step: whole })),
	earlyStopping: orNull(object<NonNullable<RunState['earlyStopping']>>({ evaluationsWithoutGain: whole })),
	counted: object<Counted>({ sinceLog: lossSum, epoch: lossSum, whole: lossSum, logged: orNull(double), tokens: whole, seconds: double }),
	history: object<RunState['history']>({ log: entries(), epochs: entries(), evaluations: entries(), warnings: entries() }),
	identity,
});
