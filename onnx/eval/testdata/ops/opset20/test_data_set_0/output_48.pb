
J0ûFì5dFÝBE;úE2HÇ?µE‚A´F‡F@|GôE-FfGÔCÚFëG<ªG6C_D