/** run.json: the one record of a run, from which every table and number is written. */
import { cpus, totalmem } from 'node:os';

import type { Fingerprint } from '../data/row.js';
import type { BaseAddon } from '../runtime/native.js';
import type { Evaluation, LogEntry, Position, Timings, TrainerEvent } from './events.js';
import type { LoopEnd } from './loop.js';
import type { StateEntry } from './trainer-state.js';

export interface EpochLoss extends Position {
	/** Mean over the batches of the epoch. */
	readonly loss: number;
}

export interface RunRecord {
	readonly format: 1;
	readonly status: 'finished' | 'interrupted';
	readonly config: Readonly<Record<string, unknown>>;
	readonly labels: readonly string[];
	/** What seeded the order of rows, in decimal: it may be more than a double holds. */
	readonly orderSeed: string;
	/** Parameters the model to start from did not have. */
	readonly drawnFromSeed: readonly string[];
	readonly versions: { readonly distiltune: string; readonly node: string; readonly libtorch: string };
	readonly machine: Readonly<Record<string, string | number>>;
	readonly data: { readonly train: Fingerprint; readonly eval?: Fingerprint | { readonly split: number; readonly rows: number } };
	readonly warnings: readonly { readonly code: string; readonly message: string }[];
	readonly history: readonly LogEntry[];
	readonly epochs: readonly EpochLoss[];
	readonly evaluations: readonly Evaluation[];
	/** Mean loss of all steps; null before the first. */
	readonly trainLoss: number | null;
	readonly steps: number;
	readonly timings: Timings;
}

/** What the events of a run add to its record. */
export class History {
	/** Log entries and evaluations in the order they happened. */
	readonly entries: StateEntry[] = [];
	readonly epochs: EpochLoss[] = [];
	readonly warnings: { code: string; message: string }[] = [];

	add(event: TrainerEvent): void {
		if (event.type === 'log' || event.type === 'evaluate') {
			this.entries.push(event);
			return;
		}
		const { type, ...rest } = event;
		if (type === 'epochEnd') this.epochs.push(rest as EpochLoss);
		else if (type === 'warning') this.warnings.push(rest as { code: string; message: string });
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

export function machineOf(base: BaseAddon): Record<string, string | number> {
	const { isa, cores } = base.cpu();
	return { platform: process.platform, arch: process.arch, cpu: cpus()[0]?.model.trim() ?? 'unknown', isa, cores, memoryBytes: totalmem() };
}

/** Memory this process has held at most. */
function peakRssBytes(): number {
	return process.resourceUsage().maxRSS * 1024;
}

/** Speed of a run that took `trainSeconds`, evaluations included. */
export function timingsOf(trainSeconds: number, end: LoopEnd, evaluations: readonly Evaluation[]): Timings {
	const seconds = trainSeconds - evaluations.reduce((sum, evaluation) => sum + evaluation.seconds, 0);
	return { trainSeconds, stepsPerSecond: end.step / seconds, tokensPerSecond: end.tokens / seconds, peakRssBytes: peakRssBytes() };
}
