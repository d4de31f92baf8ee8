/** Ctrl-C, SIGTERM and the end of a parent process that listens: the first asks the work to stop and save, the second leaves at once. */

/** Runs `work` with a signal that the first interrupt aborts, its reason being the name of the interrupt. */
export async function interruptible<Result>(work: (signal: AbortSignal) => Promise<Result>, onInterrupt: () => void): Promise<Result> {
	const controller = new AbortController();
	const stop = (name: NodeJS.Signals) => {
		if (controller.signal.aborted) process.exit(name === 'SIGTERM' ? 143 : 130);
		onInterrupt();
		controller.abort(name);
	};
	const orphaned = () => stop('SIGTERM');
	process.on('SIGINT', stop).on('SIGTERM', stop).on('disconnect', orphaned);
	try {
		return await work(controller.signal);
	} finally {
		process.off('SIGINT', stop).off('SIGTERM', stop).off('disconnect', orphaned);
	}
}
