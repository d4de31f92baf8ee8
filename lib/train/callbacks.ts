/** Functions of the user's that see what happens and may ask for something. */
import type { TrainerEvent } from './events.js';

/** What a callback may ask for: Transformers' TrainerControl. It is done once the step or the epoch at hand is. */
export interface TrainerControl {
	/** Ends the run as if its last step had been taken: with an evaluation and a saved model where they are due at the end of an epoch. */
	stop(): void;
	/** Measures on the rows that `eval` names; without them nothing happens. */
	evaluate(): void;
	/** Saves a checkpoint. */
	save(): void;
}

/** Methods are called by the type of the event, one after another, and awaited: the run goes on when they have returned. */
export type TrainerCallback = {
	readonly [Type in TrainerEvent['type']]?: (event: Extract<TrainerEvent, { type: Type }>, control: TrainerControl) => unknown;
};

/** Names a method may have. */
export const eventTypes: ReadonlySet<string> = new Set(
	Object.keys({
		...{ trainBegin: 0, epochBegin: 0, step: 0, log: 0, epochEnd: 0 },
		...{ evaluate: 0, save: 0, warning: 0, trainEnd: 0 },
	} satisfies Record<TrainerEvent['type'], number>),
);

/** What was asked for; fulfilled wishes are taken back, but for `stop`. */
export interface Wishes {
	evaluate: boolean;
	save: boolean;
	stop: boolean;
}

/** The events of `run`, each shown to all callbacks first. What a callback throws becomes a warning CALLBACK_FAILED, the first time for each method. */
export async function* heard<Result>(
	run: AsyncGenerator<TrainerEvent, Result>,
	callbacks: readonly TrainerCallback[],
	wishes: Wishes,
): AsyncGenerator<TrainerEvent, Result> {
	const control: TrainerControl = {
		stop: () => {
			wishes.stop = true;
		},
		evaluate: () => {
			wishes.evaluate = true;
		},
		save: () => {
			wishes.save = true;
		},
	};
	const failed = callbacks.map(() => new Set<TrainerEvent['type']>());
	for (;;) {
		const next = await run.next();
		if (next.done === true) return next.value;
		yield* told(next.value);
	}

	async function* told(event: TrainerEvent): AsyncGenerator<TrainerEvent, void> {
		yield event;
		for (const [index, callback] of callbacks.entries()) {
			try {
				await (callback[event.type] as ((event: TrainerEvent, control: TrainerControl) => unknown) | undefined)?.(event, control);
			} catch (error) {
				if (failed[index]?.has(event.type)) continue;
				failed[index]?.add(event.type);
				const { message = String(error) } = error as { message?: string };
				yield* told({ type: 'warning', code: 'CALLBACK_FAILED', message: `Callback ${index + 1} failed at ${event.type}: ${message}` });
			}
		}
	}
}
