/** run.json: the one record of a run, from which every table and number is written. */
import { cpus, totalmem } from 'node:os';

import type { Fingerprint } from '../data/row.js';
import type { BaseAddon } from '../runtime/native.js';
import type { CurveState } from './curve.js';
import type { Evaluation, LogEntry, Position, Timings, TrainerEvent } from './events.js';
import type { RunFinding } from './finding.js';
import type { Movement } from './movement.js';
import type { Plan } from './plan.js';
import type { RowCounts } from './row-counts.js';
import type { StateEntry } from './trainer-state.js';

export interface EpochLoss extends Position {
	/** Mean over the batches of the epoch. */
	readonly loss: number;
}

export interface RunRecord {
	readonly format: 1;
	/** running: as it was at its latest checkpoint. */
	readonly status: 'finished' | 'running' | 'interrupted' | 'failed';
	/** Why it failed. */
	readonly error?: { readonly code: string; readonly message: string };
	readonly config: Readonly<Record<string, unknown>>;
	readonly labels: readonly string[];
	/** What seeded the order of rows, in decimal: it may be more than a double holds. */
	readonly orderSeed: string;
	/** Parameters the model to start from did not have. */
	readonly drawnFromSeed: readonly string[];
	readonly versions: { readonly distiltune: string; readonly node: string; readonly libtorch: string };
	readonly machine: Readonly<Record<string, string | number>>;
	readonly data: { readonly train: Fingerprint; readonly eval?: Fingerprint | { readonly split: number; readonly rows: number } };
	readonly warnings: readonly Warning[];
	readonly plan: Plan;
	readonly rows: RowCounts;
	readonly curve: CurveState;
	/** null before it was first measured. */
	readonly movement: Movement | null;
	readonly findings: readonly RunFinding[];
	readonly history: readonly LogEntry[];
	readonly epochs: readonly EpochLoss[];
	readonly evaluations: readonly Evaluation[];
	/** Mean loss of all steps; null before the first. */
	readonly trainLoss: number | null;
	readonly steps: number;
	/** Of the metric the run goes by; null where it goes by none or has measured nothing. */
	readonly best: { readonly metric: string; readonly value: number; readonly step: number; readonly checkpoint: string | null } | null;
	readonly timings: Timings;
}

export interface Warning {
	readonly code: string;
	readonly message: string;
}

export interface Latest extends Position {
	readonly tokens: number;
}

/** What a run has told so far. */
export interface HistoryState {
	readonly entries: readonly StateEntry[];
	readonly epochs: readonly EpochLoss[];
	readonly warnings: readonly Warning[];
}

/** What the events of a run add to its record. */
export class History {
	/** Log entries and evaluations in the order they happened. */
	readonly entries: StateEntry[] = [];
	readonly epochs: EpochLoss[] = [];
	readonly warnings: Warning[] = [];

	/** As of the latest step. */
	latest: Latest = { step: 0, epoch: 0, tokens: 0 };

	get state(): HistoryState {
		return { entries: this.entries, epochs: this.epochs, warnings: this.warnings };
	}

	/** Goes on from what an earlier run has told, which stood at `latest`. */
	restore({ entries, epochs, warnings }: HistoryState, latest: Latest): void {
		this.latest = latest;
		this.entries.unshift(...entries);
		this.epochs.unshift(...epochs);
		this.warnings.unshift(...warnings);
	}

	add(event: TrainerEvent): void {
		if (event.type === 'log' || event.type === 'evaluate') {
			this.entries.push(event);
			return;
		}
		if (event.type === 'step') this.latest = { step: event.step, epoch: event.epoch, tokens: this.latest.tokens + event.tokens };
		const { type, ...rest } = event;
		if (type === 'epochEnd') this.epochs.push(rest as EpochLoss);
		else if (type === 'warning') this.warnings.push(rest as Warning);
	}

	get log(): LogEntry[] {
		return this.#of('log');
	}

	get evaluations(): Evaluation[] {
		return this.#of('evaluate');
	}

	#of<Type extends StateEntry['type']>(type: Type): Omit<Extract<StateEntry, { type: Type }>, 'type'>[] {
		return this.entries.filter((entry): entry is Extract<StateEntry, { type: Type }> => entry.type === type).map(({ type: _, ...rest }) => rest);
	}
}

/** The record of the model it stands beside. */
export const runFile = 'run.json';
/** The record of a run that has not come to its end, beside its checkpoints. */
export const unfinishedRunFile = 'unfinished-run.json';

export const recordText = (record: RunRecord): string => `${JSON.stringify(record, undefined, '\t')}\n`;

export function machineOf(base: BaseAddon): Record<string, string | number> {
	const { isa, cores } = base.cpu();
	return { platform: process.platform, arch: process.arch, cpu: cpus()[0]?.model.trim() ?? 'unknown', isa, cores, memoryBytes: totalmem() };
}

/** Memory this process has held at most. */
function peakRssBytes(): number {
	return process.resourceUsage().maxRSS * 1024;
}

/** Speed of a run that took `trainSeconds`, evaluations included. */
export function timingsOf(trainSeconds: number, { step, tokens }: Latest, evaluations: readonly Evaluation[]): Timings {
	const seconds = trainSeconds - evaluations.reduce((sum, evaluation) => sum + evaluation.seconds, 0);
	return { trainSeconds, stepsPerSecond: step / seconds, tokensPerSecond: tokens / seconds, peakRssBytes: peakRssBytes() };
}
